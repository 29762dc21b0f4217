"""The HTTP interface: uploads of trades and quotes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

from redis.asyncio import Redis

from market_data_engine.settings import MarketDataSettings
from tests.market_data_engine.asking import GOOD, get
from tests.market_data_engine.conftest import Engine, csv, gzipped, running_engine, until


async def test_an_uploaded_file_is_described_and_its_symbols_become_known(running: Engine) -> None:
    answer = await running.http.put("/internal/market-files/new.csv.gz", content=gzipped(GOOD))
    assert answer.status_code == 201
    file = answer.json()
    assert (file["name"], file["kind"]) == ("new.csv.gz", "trades")
    assert file["sha256"] == hashlib.sha256(gzipped(GOOD)).hexdigest()
    assert (file["rows"], file["symbols"]) == (2, ["BRK.B", "BTC/USDT"])
    assert file["first_at"] == "2024-01-08T15:00:05Z"
    assert file["last_at"] == "2024-01-08T15:00:55Z"
    assert (await get(running, "/market-files"))["items"] == [file]
    content = await running.http.get(f"/internal/market-files/{file['id']}/content")
    assert content.content == gzipped(GOOD)
    missing = await running.http.get(f"/internal/market-files/{uuid4()}/content")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (await get(running, "/instruments/BTC%2FUSDT"))["exchange"] == "XNYS"
    assert (await get(running, "/candles/BTC%2FUSDT"))["items"] == []


QUOTES = b"timestamp,symbol,bid,bid_size,ask,ask_size\n2024-01-08T15:00:05Z,Q,10,1,11,2\n"


async def test_a_file_of_quotes_is_taken_and_not_replayed_without_trades(running: Engine) -> None:
    answer = await running.http.put("/internal/market-files/q.csv", content=QUOTES)
    assert answer.status_code == 201
    file = answer.json()
    assert (file["kind"], file["rows"], file["symbols"]) == ("quotes", 1, ["Q"])
    assert (await get(running, "/market-files"))["items"] == [file]
    refused = await running.http.post("/internal/replays", json={"files": [file["id"]]})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_trades")


async def test_the_same_content_again_is_the_same_file(running: Engine) -> None:
    first = await running.http.put("/internal/market-files/a.csv", content=GOOD)
    again = await running.http.put("/internal/market-files/b.csv", content=GOOD)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len((await get(running, "/market-files"))["items"]) == 1


async def test_the_same_file_uploaded_at_once_is_taken_once(running: Engine) -> None:
    answers = await asyncio.gather(
        *(running.http.put(f"/internal/market-files/{n}.csv", content=GOOD) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


BAD_FILES: list[tuple[str, bytes, int, str]] = [
    ("a.csv", b"", 422, "a.csv: the file is empty."),
    ("a.csv", csv("x"), 422, "a.csv, line 2: it has 1 fields, the header has 4."),
    ("a.csv.gz", GOOD, 422, "a.csv.gz: it is not gzip data, as its name says."),
    ("a.csv", csv("1985-01-08T15:00:05Z,A,1,1"), 422, "outside the known calendar of XNYS"),
    ("a.csv", csv("2150-01-08T15:00:05Z,A,1,1"), 422, "outside the known calendar of XNYS"),
    (".hidden", GOOD, 422, "A file's name is 1 to 128 letters"),
    ("a" * 129, GOOD, 422, "A file's name is 1 to 128 letters"),
    ("a%0Ab", GOOD, 422, "A file's name is 1 to 128 letters"),
]


async def test_a_bad_file_is_refused_with_a_sentence_and_leaves_nothing(
    running: Engine, engine_settings: MarketDataSettings
) -> None:
    for name, content, status, sentence in BAD_FILES:
        answer = await running.http.put(f"/internal/market-files/{name}", content=content)
        assert answer.status_code == status
        assert sentence in answer.json()["detail"]
        assert_nothing_kept(engine_settings)
    assert (await get(running, "/market-files"))["items"] == []
    assert (await running.http.get("/internal/instruments/A")).status_code == 404


def assert_nothing_kept(settings: MarketDataSettings) -> None:
    for folder in ("incoming", "files"):
        assert list((settings.market_data_folder / folder).iterdir()) == []


async def test_a_file_that_is_too_long_is_refused_while_it_comes_in(
    engine_settings: MarketDataSettings, redis: Redis
) -> None:
    settings = engine_settings.model_copy(update={"market_file_max_bytes": 4096})
    async with running_engine(settings, redis) as running:
        for content in (b"x" * 5000, slow_body([b"x" * 1000] * 10)):
            answer = await running.http.put("/internal/market-files/a.csv", content=content)
            assert answer.status_code == 413
            assert answer.json()["code"] == "body_too_large"
        assert_nothing_kept(settings)


async def slow_body(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_body_longer_than_a_mebibyte_is_taken(running: Engine) -> None:
    line = "2024-01-08T15:00:05Z,LONG,10.5,1"
    answer = await running.http.put("/internal/market-files/a.csv", content=csv(*[line] * 50_000))
    assert answer.status_code == 201
    assert answer.json()["rows"] == 50_000


async def test_an_upload_that_breaks_off_leaves_nothing(
    running: Engine, engine_settings: MarketDataSettings
) -> None:
    port = engine_settings.market_data_port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    token = engine_settings.internal_token.get_secret_value()
    head = (
        f"PUT /internal/market-files/a.csv HTTP/1.1\r\nHost: x\r\nX-Internal-Token: {token}\r\n"
        f"Content-Length: {len(GOOD)}\r\n\r\n"
    )
    writer.write(head.encode() + GOOD[:50])
    await writer.drain()
    incoming = engine_settings.market_data_folder / "incoming"

    async def coming_in() -> bool:
        return bool(list(incoming.iterdir()))

    async def gone() -> bool:
        return not list(incoming.iterdir())

    await until(coming_in)
    writer.close()
    await writer.wait_closed()
    await until(gone)
    assert_nothing_kept(engine_settings)
