"""What every candle store does: the same tests for each of them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.store import CandleStore, Series
from market_data_engine.store.stored import Quality, StoredCandle
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle

SPY = Symbol("SPY")
MINUTE_NS = 60_000_000_000
FIRST_NS = 1_767_623_400_000_000_000


@pytest.fixture(params=["postgres", "influxdb"])
def store(request: pytest.FixtureRequest) -> CandleStore:
    if request.param == "postgres":
        return PostgresCandleStore(request.getfixturevalue("engine"))
    found: CandleStore = request.getfixturevalue("influx_store")
    return found


def candle(
    minute: int, symbol: str = SPY, timeframe: Timeframe = "1m", close: float = 100.5
) -> Candle:
    start_ns = FIRST_NS + minute * MINUTE_NS
    prices = (100.0, 101.25, 99.75, close)
    return Candle(
        Symbol(symbol), timeframe, start_ns, start_ns + MINUTE_NS, *prices, 1200.0, 100.3, 17
    )


def stored(
    candles: Iterable[Candle],
    source: str = "replay",
    quality: Quality = "complete",
    as_of_ns: int = FIRST_NS,
) -> list[StoredCandle]:
    return [StoredCandle(one, source, quality, as_of_ns) for one in candles]


def plain(found: Iterable[StoredCandle]) -> list[Candle]:
    return [one.candle for one in found]


def everything(store: CandleStore, symbol: str = SPY, timeframe: Timeframe = "1m") -> list[Candle]:
    return plain(store.page(Symbol(symbol), timeframe, 0, None, 100_000))


def minutes(found: Iterable[StoredCandle]) -> list[int]:
    return [(one.candle.start_ns - FIRST_NS) // MINUTE_NS for one in found]


def test_an_empty_store_has_no_candles(store: CandleStore) -> None:
    assert everything(store) == []
    assert store.last(SPY, "1m", None, 10) == []


def test_what_was_written_is_read_oldest_first_however_it_came(store: CandleStore) -> None:
    store.write(stored([candle(2), candle(0), candle(1)]))
    assert everything(store) == [candle(0), candle(1), candle(2)]


def test_writing_the_same_candles_again_changes_nothing(store: CandleStore) -> None:
    for _ in range(3):
        store.write(stored([candle(0), candle(1)]))
    assert everything(store) == [candle(0), candle(1)]


def test_a_later_candle_of_the_same_start_replaces_the_earlier_one(store: CandleStore) -> None:
    store.write(stored([candle(0, close=100.0)]))
    store.write(stored([candle(0, close=100.25)], "live"))
    assert everything(store) == [candle(0, close=100.25)]


def test_the_later_one_counts_also_within_one_call(store: CandleStore) -> None:
    store.write(stored([candle(0, close=1.0), candle(1), candle(0, close=2.0)]))
    assert everything(store) == [candle(0, close=2.0), candle(1)]


def test_who_said_it_how_good_it_is_and_since_when_come_back_with_each_candle(
    store: CandleStore,
) -> None:
    first = stored([candle(0), candle(1)], "live", "partial", FIRST_NS + 5000)
    store.write(first)
    assert store.page(SPY, "1m", 0, None, 10) == first
    (healed,) = stored([candle(1)], "alpaca", "healed", FIRST_NS + 9000)
    store.write([healed])
    assert store.last(SPY, "1m", None, 10) == [first[0], healed]


def test_what_was_known_before_is_known_since_then(store: CandleStore) -> None:
    if not isinstance(store, PostgresCandleStore):
        pytest.skip("InfluxDB replaces a point without looking at it")
    for as_of_ns in (FIRST_NS, FIRST_NS + MINUTE_NS):
        store.write(stored([candle(0)], as_of_ns=as_of_ns))
    (found,) = store.page(SPY, "1m", 0, None, 10)
    assert found.as_of_ns == FIRST_NS


def test_writing_nothing_is_no_error(store: CandleStore) -> None:
    store.write(stored([]))
    assert everything(store) == []


def test_a_range_includes_its_start_and_excludes_its_end(store: CandleStore) -> None:
    store.write(stored([candle(minute) for minute in range(6)]))
    start_ns, end_ns = candle(2).start_ns, candle(4).start_ns
    assert minutes(store.page(SPY, "1m", start_ns, end_ns, 100)) == [2, 3]
    assert minutes(store.page(SPY, "1m", start_ns + 1, end_ns + 1, 100)) == [3, 4]


def test_a_range_without_an_end_reaches_the_last_candle(store: CandleStore) -> None:
    store.write(stored([candle(minute) for minute in range(6)]))
    assert minutes(store.page(SPY, "1m", candle(4).start_ns, None, 100)) == [4, 5]


def test_pages_that_follow_each_other_meet(store: CandleStore) -> None:
    store.write(stored([candle(minute) for minute in range(25)]))
    found: list[StoredCandle] = []
    while page := store.page(SPY, "1m", found[-1].candle.start_ns + 1 if found else 0, None, 10):
        found += page
    assert minutes(found) == list(range(25))


@pytest.mark.parametrize("limit", [0, 1, 3, 10])
def test_the_last_candles_come_oldest_first(store: CandleStore, limit: int) -> None:
    store.write(stored([candle(minute) for minute in range(6)]))
    found = store.last(SPY, "1m", None, limit)
    assert minutes(found) == list(range(max(0, 6 - limit), 6))
    found = store.last(SPY, "1m", candle(4).start_ns, limit)
    assert minutes(found) == list(range(max(0, 4 - limit), 4))


def test_symbols_and_timeframes_are_kept_apart(store: CandleStore) -> None:
    names = ["SPY", "SPY2", "BRK.B", "BTC/USD", "A-B_C", "X"]
    written = [
        candle(0, name, timeframe, close=float(place))
        for place, name in enumerate(names)
        for timeframe in TIMEFRAMES
    ]
    store.write(stored(written))
    for one in written:
        assert everything(store, one.symbol, one.timeframe) == [one]
    assert everything(store, "SPY3") == []


@pytest.mark.parametrize("hostile", ["A B", "A,B=C", "x' OR '1'='1", "a\\'b", 'q"uote', "Ä€"])
def test_no_symbol_can_be_taken_for_something_else(store: CandleStore, hostile: str) -> None:
    store.write(stored([candle(0), candle(1, hostile)]))
    assert everything(store, hostile) == [candle(1, hostile)]
    assert everything(store) == [candle(0)]


def test_moments_far_away_are_no_error(store: CandleStore) -> None:
    store.write(stored([candle(0)]))
    assert plain(store.page(SPY, "1m", -(2**63), 2**63 - 1, 10)) == [candle(0)]
    assert store.page(SPY, "1m", 2**62, None, 10) == []


def test_more_than_one_batch_is_written_whole(store: CandleStore) -> None:
    written = [candle(minute) for minute in range(12_001)]
    store.write(stored(written))
    assert everything(store) == written


def test_threads_may_write_and_read_at_once(store: CandleStore) -> None:
    def work(place: int) -> list[StoredCandle]:
        name = f"S{place}"
        store.write(stored([candle(minute, name) for minute in range(50)]))
        return store.page(Symbol(name), "1m", 0, None, 100)

    with ThreadPoolExecutor(4) as threads:
        assert all(minutes(found) == list(range(50)) for found in threads.map(work, range(8)))


#: A zero has no sign: nothing in a market is a negative zero.
finite = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(numbers=st.tuples(*[finite] * 6), trades=st.integers(0, 2**63 - 1))
def test_floats_and_ints_come_back_exact(
    store: CandleStore, numbers: tuple[float, ...], trades: int
) -> None:
    written = Candle(SPY, "1d", FIRST_NS, FIRST_NS + MINUTE_NS, *numbers, trades)
    store.write(stored([written]))
    (found,) = everything(store, SPY, "1d")
    assert found == written
    assert [repr(value) for value in msgspec.structs.astuple(found)] == [
        repr(value) for value in msgspec.structs.astuple(written)
    ]


def test_what_is_stored_is_counted_by_symbol_and_timeframe(store: CandleStore) -> None:
    assert store.series(None) == []
    store.write(stored([candle(2), candle(0)]))
    store.write(stored([candle(1)], "import"))
    others = [candle(5, "A/B'C"), candle(0, timeframe="15m"), candle(0, timeframe="3m")]
    store.write(stored(others, "live"))
    of_spy = [
        Series("SPY", "1m", 3, FIRST_NS, FIRST_NS + 2 * MINUTE_NS, ["import", "replay"]),
        Series("SPY", "3m", 1, FIRST_NS, FIRST_NS, ["live"]),
        Series("SPY", "15m", 1, FIRST_NS, FIRST_NS, ["live"]),
    ]
    odd = Series("A/B'C", "1m", 1, FIRST_NS + 5 * MINUTE_NS, FIRST_NS + 5 * MINUTE_NS, ["live"])
    assert store.series(None) == [odd, *of_spy]
    assert store.series("SPY") == of_spy
    assert store.series("A/B'C") == [odd]
    assert store.series("NOPE") == []
