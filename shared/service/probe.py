"""Health check of a container: `python -m shared.service.probe http://127.0.0.1:8003/health/ready`.

Standard library only: it runs every few seconds and has to be cheap.
"""

import sys
import urllib.error
import urllib.request


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].startswith("http://127.0.0.1:"):
        print("usage: python -m shared.service.probe http://127.0.0.1:PORT/PATH", file=sys.stderr)  # noqa: T201
        return 2
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=4) as answer:  # noqa: S310 - loopback
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
