"""`docs/metrics.md` names every metric that the code has, with its labels, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = (
    "api_gateway",
    "websocket_service",
    "order_processor",
    "strategy_workers",
    "analytics_service",
    "market_data_engine",
    "shared",
)
_KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}
_ROW = re.compile(r"^\| `([a-z0-9_]+)(?:\{([a-z_,]+)\})?` \| (counter|gauge|histogram) \| \S")

Metric = tuple[str, str, str]


def _in_code() -> Iterator[Metric]:
    for package in _PACKAGES:
        for path in (_ROOT / package).rglob("*.py"):
            text = path.read_text()
            if "prometheus_client" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    kind = _KINDS.get(node.func.id)
                    if kind is not None:
                        values = [ast.literal_eval(argument) for argument in node.args]
                        labels = ",".join(values[2]) if len(values) > 2 else ""
                        yield values[0], labels, kind


def test_the_document_lists_each_metric_with_its_labels_and_nothing_else() -> None:
    lines = (_ROOT / "docs" / "metrics.md").read_text().splitlines()
    rows = [row for line in lines if (row := _ROW.match(line))]
    documented = sorted((row[1], row[2] or "", row[3]) for row in rows)
    assert documented == sorted(_in_code())
