"""`python -m api_gateway.openapi`: the OpenAPI document on stdout, without a server."""

import json
import sys

from api_gateway.main import create_app
from api_gateway.settings import GatewaySettings


def main() -> None:
    # Nothing connects before the lifespan, and the document doesn't depend on any setting.
    app = create_app(GatewaySettings(_env_file=None, environment="development"))
    json.dump(app.openapi(), sys.stdout, indent=2, ensure_ascii=False, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
