"""What is InfluxDB's own: the source, failures told apart, the mapping that 2.x needs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.embedded.servers import free_port
from market_data_engine.store.influxdb import InfluxCandleStore, InfluxRefusedError
from market_data_engine.store.store import StoreAwayError
from shared.models.identifiers import Symbol
from tests.market_data_engine.store.servers import InfluxDB
from tests.market_data_engine.store.test_contract import SPY, candle, everything, stored


def store_at(url: str, bucket: str = "candles") -> InfluxCandleStore:
    return InfluxCandleStore(url, "tests-only", "trading", bucket, 2.0)


def test_the_source_is_kept_on_every_candle_and_replaced_with_it(
    influxdb: InfluxDB, influx_store: InfluxCandleStore, bucket: str
) -> None:
    influx_store.write(stored([candle(0), candle(1)]))
    influx_store.write(stored([candle(1)], 'an "odd" \\source'))
    rows = influxdb.ask('SELECT "source", "trades" FROM "candles"', bucket)
    assert [row[1:] for row in rows] == [["replay", 17], ['an "odd" \\source', 17]]


def test_a_bucket_that_is_not_there_yet_is_waited_for(influxdb: InfluxDB, bucket: str) -> None:
    store = store_at(influxdb.url, "not_there")
    with pytest.raises(StoreAwayError, match="not_there"):
        store.write(stored([candle(0)]))
    with pytest.raises(StoreAwayError, match="not_there"):
        store.last(SPY, "1m", None, 1)
    with pytest.raises(StoreAwayError):
        store.check()
    store.close()


def test_nobody_at_the_address_means_away() -> None:
    store = store_at(f"http://127.0.0.1:{free_port()}")
    for call in (store.check, lambda: store.write(stored([candle(0)]))):
        with pytest.raises(StoreAwayError):
            call()
    store.close()


def test_away_and_back_again(influxdb: InfluxDB, influx_store: InfluxCandleStore) -> None:
    influx_store.write(stored([candle(0)]))
    influxdb.stop()
    try:
        with pytest.raises(StoreAwayError):
            influx_store.write(stored([candle(1)]))
        with pytest.raises(StoreAwayError):
            influx_store.page(SPY, "1m", 0, None, 10)
    finally:
        influxdb.start()
    influx_store.write(stored([candle(1)]))
    assert everything(influx_store) == [candle(0), candle(1)]


def test_what_influxdb_refuses_for_good_is_not_tried_again(
    influxdb: InfluxDB, influx_store: InfluxCandleStore, bucket: str
) -> None:
    influx_store.write(stored([candle(0)]))
    with pytest.raises(InfluxRefusedError, match="400"):
        influx_store.write(stored([candle(0, Symbol("broken\nline"))]))
    assert influxdb.ask('SELECT count("close") FROM "candles"', bucket)[0][1] == 1


# --- 2.x, by its words ---------------------------------------------------------------------------


class Version2(BaseHTTPRequestHandler):
    """Speaks as much of InfluxDB 2.x as preparing and writing needs."""

    server: "Server"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.asked.append(f"GET {url.path}")
        if self.headers["Authorization"] != "Token tests-only" and url.path != "/ping":
            self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif url.path == "/ping":
            self._answer(204, None)
        elif url.path == "/api/v2/dbrps":
            found = [one for one in self.server.mappings if one["database"] == asked["db"]]
            self._answer(200, {"content": found})
        elif url.path == "/api/v2/buckets":
            bucket = {"id": "b1", "orgID": "o1", "name": asked["name"], "retentionRules": []}
            self._answer(200, {"buckets": [bucket] if asked["name"] == "candles" else []})
        else:
            mapped = any(one["database"] == asked["db"] for one in self.server.mappings)
            result = {"statement_id": 0} if mapped else {"error": "database not found"}
            self._answer(200, {"results": [result]})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"POST {url.path}")
        if self.headers["Authorization"] != "Token tests-only":
            self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif url.path == "/api/v2/dbrps":
            mapping = {"id": "d1", "orgID": "o1", **json.loads(body)}
            self.server.mappings.append(mapping)
            self._answer(201, mapping)
        else:
            self.server.lines += body.decode().splitlines()
            self._answer(204, None)

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        content = b"" if body is None else json.dumps(body).encode()
        self.send_header("X-Influxdb-Version", "v2.7.11")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Version2)
        self.asked: list[str] = []
        self.mappings: list[dict[str, Any]] = []
        self.lines: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_on_2x_a_bucket_is_mapped_for_influxql_once() -> None:
    with serving() as server:
        for _ in range(2):
            store = store_at(server.url)
            store.check()
            store.write(stored([candle(0)]))
            store.close()
        (mapping,) = server.mappings
    assert (mapping["database"], mapping["bucketID"], mapping["default"]) == ("candles", "b1", True)
    assert mapping["org"] == "trading"
    assert len(server.lines) == 2


def test_a_mapping_that_is_there_is_left_alone() -> None:
    with serving() as server:
        server.mappings.append(
            {
                "id": "d0",
                "orgID": "o1",
                "bucketID": "b1",
                "database": "candles",
                "retention_policy": "forever",
                "default": True,
            }
        )
        store = store_at(server.url)
        store.check()
        store.close()
        assert len(server.mappings) == 1


def test_on_2x_a_missing_bucket_or_a_wrong_token_is_waited_for() -> None:
    with serving() as server:
        for store in (
            store_at(server.url, "other"),
            InfluxCandleStore(server.url, "wrong", "trading", "candles", 2.0),
        ):
            with pytest.raises(StoreAwayError, match=r"no bucket other|401"):
                store.write(stored([candle(0)]))
            store.close()
        assert server.lines == []
