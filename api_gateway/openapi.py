"""`python -m api_gateway.openapi`: the OpenAPI document on stdout, without a server."""

import json
import sys

from api_gateway.main import create_app
from api_gateway.settings import GatewaySettings


def document() -> str:
    # Nothing connects before the lifespan, and the document doesn't depend on any setting.
    app = create_app(GatewaySettings(_env_file=None, environment="development"))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    sys.stdout.write(document())


if __name__ == "__main__":
    main()
