"""The clients of history against servers that speak their vendors' words, errors included."""

from collections.abc import Iterator

import pytest

from market_data_engine.feeds.events import Print
from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)
from market_data_engine.metrics import PROVIDER_ROWS_DROPPED
from market_data_engine.providers.provider import Bar, HistoryProvider, ProviderDeclinedError
from market_data_engine.vendors.alpaca.history import AlpacaHistory
from market_data_engine.vendors.yahoo.history import YahooHistory
from shared.candles.timeframes import DAY_NS, MINUTE_NS
from shared.market_files.lines import parse_time
from tests.market_data_engine.vendors.history import KEY, SECRET, HistoryServer, history_server

START_NS = parse_time("2026-03-19T14:30:00Z")


@pytest.fixture(scope="module")
def listening() -> Iterator[HistoryServer]:
    with history_server() as server:
        yield server


@pytest.fixture
def vendor(listening: HistoryServer) -> HistoryServer:
    listening.bars = {
        "BRK.B": bars(5),
        "BRK-B": bars(5),
    }
    listening.trades, listening.asked = {}, []
    listening.status = listening.body = None
    listening.rows_a_page = 10_000
    return listening


def bars(count: int) -> list[tuple[int, float, float, float, float, float]]:
    return [
        (START_NS + minute * MINUTE_NS, 10.0, 11.0, 9.0, 10.5 + minute / 100, 100.0)
        for minute in range(count)
    ]


async def no_limit() -> None:
    pass


def alpaca(vendor: HistoryServer, secret: str = SECRET, timeout_s: float = 10) -> AlpacaHistory:
    return AlpacaHistory(vendor.url, "iex", KEY, secret, permit=no_limit, timeout_s=timeout_s)


def yahoo(vendor: HistoryServer) -> YahooHistory:
    return YahooHistory(vendor.url, permit=no_limit)


BOTH = pytest.mark.parametrize("make", [alpaca, yahoo])


async def asked(provider: HistoryProvider, symbol: str = "BRK.B", minutes: int = 5) -> list[Bar]:
    try:
        return await provider.bars(symbol, "1m", START_NS, START_NS + minutes * MINUTE_NS)
    finally:
        await provider.close()


@BOTH
async def test_a_range_of_bars_includes_its_start_and_excludes_its_end(
    vendor: HistoryServer, make: type[AlpacaHistory]
) -> None:
    found = await asked(make(vendor), minutes=3)  # type: ignore[arg-type, call-arg]
    assert [bar.start_ns for bar in found] == [START_NS + n * MINUTE_NS for n in range(3)]
    assert [bar.close for bar in found] == [10.5, 10.51, 10.52]


async def test_alpaca_is_asked_for_its_feed_and_tells_average_and_number_of_trades(
    vendor: HistoryServer,
) -> None:
    (bar,) = await asked(alpaca(vendor), minutes=1)
    assert (bar.vwap, bar.trades) == (10.0, 3)
    (path, query) = vendor.asked[0]
    assert path == "/v2/stocks/BRK.B/bars"
    assert (query["timeframe"], query["feed"], query["adjustment"]) == ("1Min", "iex", "raw")
    assert query["end"] == "2026-03-19T14:30:59.999999999Z"


async def test_alpaca_is_asked_page_by_page_until_there_is_none(vendor: HistoryServer) -> None:
    vendor.rows_a_page = 2
    assert len(await asked(alpaca(vendor))) == 5
    assert [query.get("page_token") for _, query in vendor.asked] == [None, "2", "4"]


async def test_each_page_waits_for_the_rate_limit(vendor: HistoryServer) -> None:
    vendor.rows_a_page = 2
    permits = []

    async def permit() -> None:
        permits.append(len(vendor.asked))

    await asked(AlpacaHistory(vendor.url, "iex", KEY, SECRET, permit=permit))
    assert permits == [0, 1, 2]


async def test_pages_that_go_round_in_a_circle_end_as_a_loss(vendor: HistoryServer) -> None:
    vendor.body = b'{"bars":[],"next_page_token":"same"}'
    with pytest.raises(FeedLostError, match="circle"):
        await asked(alpaca(vendor))
    assert len(vendor.asked) == 2


async def test_trades_come_in_time_order_with_their_ids(vendor: HistoryServer) -> None:
    vendor.trades = {
        "AAPL": [
            {"t": "2026-03-19T14:30:01.5Z", "x": "V", "p": 187.5, "s": 10, "i": 8, "c": ["@"]},
            {"t": "2026-03-19T14:30:01.25Z", "x": "V", "p": 187.25, "s": 5, "i": 7, "c": ["@"]},
        ]
    }
    provider = alpaca(vendor)
    found = await provider.trades("AAPL", START_NS, START_NS + MINUTE_NS)
    await provider.close()
    assert found == [
        Print("AAPL", START_NS + 1_250_000_000, 187.25, 5, "V7"),
        Print("AAPL", START_NS + 1_500_000_000, 187.5, 10, "V8"),
    ]


async def test_yahoo_tells_no_trades(vendor: HistoryServer) -> None:
    provider = yahoo(vendor)
    with pytest.raises(ProviderDeclinedError):
        await provider.trades("AAPL", START_NS, START_NS + MINUTE_NS)
    await provider.close()


async def test_yahoo_is_asked_for_a_week_at_a_time_and_with_its_own_spelling(
    vendor: HistoryServer,
) -> None:
    provider = yahoo(vendor)
    name = provider.usual_name("BRK.B")
    await provider.bars(name, "1m", START_NS, START_NS + 8 * DAY_NS)
    await provider.close()
    assert [path for path, _ in vendor.asked] == ["/v8/finance/chart/BRK-B"] * 2
    assert vendor.asked[0][1]["period2"] == vendor.asked[1][1]["period1"]


@BOTH
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, FeedRefusedError),
        (403, FeedRefusedError),
        (404, ProviderDeclinedError),
        (422, ProviderDeclinedError),
        (500, FeedLostError),
        (504, FeedLostError),
    ],
)
async def test_each_status_says_what_to_do_next(
    vendor: HistoryServer, make: type[AlpacaHistory], status: int, kind: type[FeedError]
) -> None:
    vendor.status = status
    with pytest.raises(kind):
        await asked(make(vendor))  # type: ignore[arg-type, call-arg]


@BOTH
async def test_too_many_requests_say_how_long_to_wait(
    vendor: HistoryServer, make: type[AlpacaHistory]
) -> None:
    vendor.status = 429
    with pytest.raises(FeedThrottledError) as throttled:
        await asked(make(vendor))  # type: ignore[arg-type, call-arg]
    assert throttled.value.retry_after_s == 7


async def test_wrong_keys_are_a_refusal_that_does_not_tell_them(vendor: HistoryServer) -> None:
    with pytest.raises(FeedRefusedError) as refused:
        await asked(alpaca(vendor, "wrong-one"))
    assert "wrong-one" not in str(refused.value)


@BOTH
@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"bars":7,"chart":7}', b"\xff\xfe"])
async def test_an_answer_that_makes_no_sense_is_a_loss(
    vendor: HistoryServer, make: type[AlpacaHistory], body: bytes
) -> None:
    vendor.body = body
    with pytest.raises(FeedLostError, match="understood"):
        await asked(make(vendor))  # type: ignore[arg-type, call-arg]


async def test_nobody_who_listens_is_a_loss() -> None:
    provider = AlpacaHistory("http://127.0.0.1:9", "iex", KEY, SECRET, permit=no_limit)
    with pytest.raises(FeedLostError, match="broke"):
        await asked(provider)


async def test_rows_that_make_no_sense_are_left_out_and_counted(vendor: HistoryServer) -> None:
    counter = PROVIDER_ROWS_DROPPED.labels("alpaca")
    before = counter._value.get()
    good = (START_NS, 10.0, 11.0, 9.0, 10.5, 100.0)
    vendor.bars["AAPL"] = [
        good,
        (START_NS + MINUTE_NS, 10.0, 9.0, 11.0, 10.5, 100.0),  # a high below the low
        (START_NS + 2 * MINUTE_NS, -1.0, 11.0, -1.0, 10.5, 100.0),
        (START_NS + 3 * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, -100.0),
    ]
    assert [bar.start_ns for bar in await asked(alpaca(vendor), "AAPL")] == [START_NS]
    assert counter._value.get() - before == 3


async def test_what_lies_outside_of_the_range_is_left_out(vendor: HistoryServer) -> None:
    vendor.body = (
        b'{"bars":[{"t":"2026-03-19T14:29:00Z","o":1,"h":1,"l":1,"c":1,"v":1,"n":1,"vw":1},'
        b'{"t":"never","o":1,"h":1,"l":1,"c":1,"v":1}],"next_page_token":null}'
    )
    assert await asked(alpaca(vendor)) == []


async def test_a_symbol_that_nobody_knows_is_no_fault_of_the_provider(
    vendor: HistoryServer,
) -> None:
    assert await asked(alpaca(vendor), "NONE") == []
    with pytest.raises(ProviderDeclinedError):
        await asked(yahoo(vendor), "NONE")
