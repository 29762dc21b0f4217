"""The least that an order route can do: check the token and the body, and give the body back."""

import signal
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import Depends, FastAPI
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.orders.schemas import OrderTicket
from bench.entries.gateway.client import post_all
from bench.machine import processor_s
from bench.measuring import report
from bench.servers import wait_until_ready
from cli.embedded.processes import start_child, stop_child
from cli.embedded.servers import free_port
from shared.auth import Tokens

_SECRET = "bench-only-0123456789abcdef0123456789abcdef"
_WARM_UP = 100

_bearer = HTTPBearer()
_tokens = Tokens(_SECRET)


async def _caller(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)],
) -> None:
    _tokens.verify(credentials.credentials)


def serve(port: int) -> None:
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> None:
        return None

    @app.post("/echo", status_code=201, dependencies=[Depends(_caller)])
    async def echo(ticket: OrderTicket) -> OrderTicket:
        return ticket

    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, loop="uvloop", http="httptools")


def main(requests: int) -> None:
    port = free_port()
    now, hour = datetime.now(UTC), timedelta(hours=1)
    token = _tokens.issue(uuid4(), uuid4(), "trader", now=now, lifetime=hour)
    with tempfile.TemporaryDirectory() as folder:
        process = start_child(
            [sys.executable, "-m", __spec__.name, "serve", str(port)],
            log=Path(folder) / "echo.log",
            on_parent_death=signal.SIGTERM,
        )
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}/ready")
            uvloop.run(post_all(port, "/echo", token, _WARM_UP, 201))
            cpu_s = processor_s(process.pid)
            wall_s = uvloop.run(post_all(port, "/echo", token, requests, 201))
            cpu_s = processor_s(process.pid) - cpu_s
        finally:
            stop_child(process, signal.SIGTERM, timeout_s=20)
    report(requests, wall_s, cpu_s, {"answered": requests})


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]))
