import json
from pathlib import Path

from api_gateway.openapi import document

ROOT = Path(__file__).parents[2]


def test_the_committed_api_description_is_the_gateways() -> None:
    """A change of the interface is seen in review: `make openapi` writes the file anew."""
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == json.loads(document())
