import sys

import uvloop

from bench.entries.gateway.client import call, post_all
from bench.machine import processor_s
from bench.measuring import report
from bench.servers import market

_WARM_UP = 100
_TRADER = {
    "email": "one@example.com",
    "username": "one",
    "password": "Correct-Horse-7",
    "role": "trader",
}


def main(requests: int) -> None:
    with (
        market(0) as (running, _, _),
        running.service("order_processor", "ORDER_PROCESSOR_PORT"),
        running.service("api_gateway", "API_GATEWAY_PORT") as (pid, port),
    ):
        api = f"http://127.0.0.1:{port}/api/v1"
        call(f"{api}/auth/register", _TRADER)
        signed_in = call(
            f"{api}/auth/login", {"login": _TRADER["email"], "password": _TRADER["password"]}
        )
        token = signed_in["access_token"]
        account = call(f"{api}/accounts", {"name": "bench", "paper_capital": "1000000000"}, token)
        path = f"/api/v1/accounts/{account['id']}/orders"
        uvloop.run(post_all(port, path, token, _WARM_UP, 201))
        cpu_s = processor_s(pid)
        wall_s = uvloop.run(post_all(port, path, token, requests, 201))
        cpu_s = processor_s(pid) - cpu_s
    report(requests, wall_s, cpu_s, {"answered": requests})


if __name__ == "__main__":
    main(int(sys.argv[1]))
