"""Servers that speak Alpaca's history of bars and trades, and Yahoo's charts."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.market_files.lines import parse_time

KEY, SECRET = "PKTEST", "s3cret-of-the-test"


@dataclass
class HistoryServer:
    """Holds one-minute bars by symbol: (start in ns, open, high, low, close, volume). Set the
    fields to make it behave badly."""

    url: str = ""
    bars: dict[str, list[tuple[int, float, float, float, float, float]]] = field(
        default_factory=dict
    )
    trades: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: Rows of a page, at most, whatever is asked for.
    rows_a_page: int = 10_000
    #: HTTP status instead of an answer; with 429 `Retry-After` is 7.
    status: int | None = None
    #: Body instead of a sound one.
    body: bytes | None = None
    #: (path, query) of all that was asked.
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, str], key: tuple[str, str]) -> tuple[int, bytes]:
        self.asked.append((path, query))
        if self.status is not None:
            return self.status, b'{"message":"no"}'
        if self.body is not None:
            return 200, self.body
        parts = unquote(path).strip("/").split("/")
        match parts:
            case ["v2", "stocks", symbol, what] if what in ("bars", "trades"):
                if key != (KEY, SECRET):
                    return 403, b'{"message":"forbidden."}'
                return 200, json.dumps(self._alpaca(symbol, what, query)).encode()
            case ["v8", "finance", "chart", symbol]:
                return self._yahoo(symbol, query)
        return 404, b'{"message":"endpoint not found."}'

    def _alpaca(self, symbol: str, what: str, query: dict[str, str]) -> dict[str, Any]:
        first, last = parse_time(query["start"]), parse_time(query["end"])
        if what == "bars":
            rows = [
                {
                    "t": text(at),
                    "o": o,
                    "h": h,
                    "l": low,
                    "c": c,
                    "v": v,
                    "n": 3,
                    "vw": (h + low) / 2,
                }
                for at, o, h, low, c, v in self.bars.get(symbol, [])
                if first <= at <= last
            ]
        else:
            found = self.trades.get(symbol, [])
            rows = [row for row in found if first <= parse_time(row["t"]) <= last]
        begin = int(query.get("page_token", "0"))
        end = begin + min(self.rows_a_page, int(query["limit"]))
        token = str(end) if end < len(rows) else None
        return {what: rows[begin:end] or None, "symbol": symbol, "next_page_token": token}

    def _yahoo(self, symbol: str, query: dict[str, str]) -> tuple[int, bytes]:
        if symbol not in self.bars:
            error = {"code": "Not Found", "description": "No data found"}
            return 404, json.dumps({"chart": {"result": None, "error": error}}).encode()
        first, last = (int(query[name]) * 10**9 for name in ("period1", "period2"))
        rows = [row for row in self.bars[symbol] if first <= row[0] < last]
        result: dict[str, Any] = {"meta": {"symbol": symbol}, "indicators": {"quote": [{}]}}
        if rows:
            names = ("open", "high", "low", "close", "volume")
            columns = {name: [row[place] for row in rows] for place, name in enumerate(names, 1)}
            # A minute without trades, as they tell it.
            for column in columns.values():
                column.append(None)  # type: ignore[arg-type]
            starts = [row[0] // 10**9 for row in rows]
            result["timestamp"] = [*starts, starts[-1] + 60]
            result["indicators"] = {"quote": [columns]}
        return 200, json.dumps({"chart": {"result": [result], "error": None}}).encode()


def text(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _handler(server: HistoryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            key = tuple(
                self.headers.get(f"APCA-API-{name}", "") for name in ("KEY-ID", "SECRET-KEY")
            )
            status, body = server.answer(parts.path, dict(parse_qsl(parts.query)), (key[0], key[1]))
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        log_message: Callable[..., None] = lambda *_: None

    return Handler


@contextlib.contextmanager
def history_server() -> Iterator[HistoryServer]:
    server = HistoryServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join(10)
        http.server_close()
