"""A client that costs little: prepared bytes out, status and length of the answer in."""

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

_CONNECTIONS = 32
_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


def ticket() -> bytes:
    return json.dumps(
        {
            "symbol": "SPY",
            "side": "buy",
            "type": "limit",
            "time_in_force": "gtc",
            "qty": "1",
            "limit_price": "101.25",
            "client_order_id": uuid4().hex,
        }
    ).encode()


def call(url: str, body: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """One request in its own time, for what is prepared."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"}
        | ({} if token is None else {"Authorization": f"Bearer {token}"}),
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return answer


async def post_all(port: int, path: str, token: str, requests: int, status: int) -> float:
    """Seconds until all were answered; raises when one has another status."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    bodies = iter([ticket() for _ in range(requests)])
    expected = f"HTTP/1.1 {status} ".encode()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(_post(port, head, bodies, expected))
    return time.perf_counter() - began


async def _post(port: int, head: bytes, bodies: Iterator[bytes], expected: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if length is None:
            raise RuntimeError(f"an answer without a length: {answer!r}")
        content = await reader.readexactly(int(length[1]))
        if not answer.startswith(expected):
            raise RuntimeError(f"not accepted: {content!r}")
    writer.close()
