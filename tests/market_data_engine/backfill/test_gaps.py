"""What is missing, by the calendar; what larger candles are made of healed minutes. Pure."""

from collections.abc import Iterable
from datetime import date
from random import Random

import pytest

from market_data_engine.backfill.folding import folded, intervals
from market_data_engine.backfill.freshness import SAMPLE, open_ns, stale_share
from market_data_engine.backfill.gaps import gaps, sound_starts
from market_data_engine.feeds.presence import Span
from market_data_engine.store.stored import Quality, StoredCandle
from shared.candles.builder import CandleBuilder
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import DAY_NS, HOUR_NS, MINUTE_NS
from shared.models.identifiers import Symbol
from shared.models.market import Candle

#: Two sessions of ten minutes, on a Thursday and a Friday.
FIRST_NS = 1_767_623_400_000_000_000 // DAY_NS * DAY_NS + 10 * HOUR_NS
SECOND_NS = FIRST_NS + DAY_NS
CALENDAR = SessionCalendar(
    [FIRST_NS, SECOND_NS],
    [FIRST_NS + 10 * MINUTE_NS, SECOND_NS + 10 * MINUTE_NS],
    [date(2026, 1, 1), date(2026, 1, 2)],
)
ALL = (FIRST_NS, SECOND_NS + HOUR_NS)
EVERYTHING = [Span(0, 1 << 62)]


def minute(number: int, session_ns: int = FIRST_NS) -> int:
    return session_ns + number * MINUTE_NS


def candle(start_ns: int, source: str = "live", quality: Quality = "complete") -> StoredCandle:
    prices = (100.0, 101.0, 99.0, 100.5)
    one = Candle(Symbol("SPY"), "1m", start_ns, start_ns + MINUTE_NS, *prices, 10.0, 100.25, 3)
    return StoredCandle(one, source, quality, start_ns)


def candles(numbers: Iterable[int], source: str = "live") -> list[StoredCandle]:
    return [candle(minute(number), source) for number in numbers]


def test_where_nothing_is_stored_each_session_is_a_gap() -> None:
    assert gaps(CALENDAR, *ALL, set(), []) == [
        Span(FIRST_NS, FIRST_NS + 10 * MINUTE_NS),
        Span(SECOND_NS, SECOND_NS + 10 * MINUTE_NS),
    ]


def test_between_sessions_nothing_is_missing() -> None:
    assert gaps(CALENDAR, FIRST_NS + 10 * MINUTE_NS, SECOND_NS, set(), []) == []


def test_outside_of_the_calendar_nothing_is_missing() -> None:
    assert gaps(CALENDAR, SECOND_NS + 2 * DAY_NS, SECOND_NS + 3 * DAY_NS, set(), []) == []


def test_a_gap_reaches_from_the_first_to_the_last_missing_minute() -> None:
    sound = sound_starts(candles([0, 1, 4, 8, 9], "replay"), [])
    assert gaps(CALENDAR, FIRST_NS, SECOND_NS, sound, []) == [Span(minute(2), minute(8))]


def test_only_whole_minutes_of_the_range_are_looked_at() -> None:
    span = (minute(2) + 1, minute(5) - 1)
    assert gaps(CALENDAR, *span, set(), []) == [Span(minute(3), minute(4))]


def test_where_a_live_feed_was_or_somebody_was_asked_no_candle_means_no_trade() -> None:
    known = [Span(minute(0), minute(3)), Span(minute(5), minute(10))]
    assert gaps(CALENDAR, FIRST_NS, SECOND_NS, set(), known) == [Span(minute(3), minute(5))]


@pytest.mark.parametrize(
    ("stored", "there", "sound"),
    [
        (candle(minute(3)), EVERYTHING, True),
        (candle(minute(3), quality="partial"), EVERYTHING, False),
        (candle(minute(3)), [Span(minute(3), minute(4))], True),
        # Made before it was noticed that the feed had gone.
        (candle(minute(3)), [Span(minute(0), minute(3) + 30)], False),
        (candle(minute(3)), [Span(minute(3) + 1, minute(9))], False),
        (candle(minute(3)), [], False),
        (candle(minute(3), "replay"), [], True),
        (candle(minute(3), "alpaca", "healed"), [], True),
    ],
)
def test_a_candle_is_sound_when_its_source_was_there_all_the_time(
    stored: StoredCandle, there: list[Span], sound: bool
) -> None:
    assert sound_starts([stored], there) == ({minute(3)} if sound else set())


# --- larger candles ------------------------------------------------------------------------------


def test_larger_candles_are_what_a_builder_makes_of_the_same_prints() -> None:
    random = Random(7)
    calendar = SessionCalendar.continuous()
    start_ns = FIRST_NS // DAY_NS * DAY_NS
    builder = CandleBuilder(Symbol("SPY"), calendar)
    made: list[Candle] = []
    for number in range(0, 600, 3):
        at_ns = [start_ns + number * MINUTE_NS + offset for offset in (0, 20, 40)]
        prices = [float(random.randint(90, 110)) for _ in at_ns]
        made += builder.add_trades(at_ns, prices, [float(random.randint(1, 9)) for _ in at_ns])
    made += builder.advance(start_ns + 8 * DAY_NS)
    stored = [StoredCandle(one, "alpaca", "healed", 1) for one in made if one.timeframe == "1m"]
    expected = {(one.timeframe, one.start_ns): one for one in made if one.timeframe != "1m"}
    wanted = intervals(calendar, (one.candle.start_ns for one in stored))
    assert {(timeframe, start) for timeframe, start, _ in wanted} == set(expected)
    for timeframe, from_ns, until_ns in wanted:
        parts = [one for one in stored if from_ns <= one.candle.start_ns < until_ns]
        found = folded(parts, timeframe, from_ns, until_ns, 2)
        assert found is not None
        one, other = found.candle, expected[timeframe, from_ns]
        assert one.vwap == pytest.approx(other.vwap)
        plain = (one.open, one.high, one.low, one.close, one.volume, one.trades, one.end_ns)
        assert plain == (
            other.open, other.high, other.low, other.close, other.volume, other.trades,
            other.end_ns,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "source", "quality"),
    [
        ([candle(minute(0)), candle(minute(1))], "live", "complete"),
        ([candle(minute(0)), candle(minute(1), "yahoo", "healed")], "live+yahoo", "healed"),
        (
            [candle(minute(0), quality="partial"), candle(minute(1), "yahoo", "healed")],
            "live+yahoo",
            "partial",
        ),
    ],
)
def test_a_larger_candle_names_all_its_sources_and_is_as_good_as_its_worst_part(
    parts: list[StoredCandle], source: str, quality: Quality
) -> None:
    found = folded(parts, "3m", minute(0), minute(3), 5)
    assert found is not None
    assert (found.source, found.quality, found.as_of_ns) == (source, quality, 5)


def test_of_no_minutes_there_is_no_larger_candle() -> None:
    assert folded([], "3m", minute(0), minute(3), 5) is None


# --- freshness -----------------------------------------------------------------------------------


def test_only_the_time_that_the_exchange_is_open_makes_data_late() -> None:
    assert open_ns(CALENDAR, minute(8), minute(1, SECOND_NS)) == 3 * MINUTE_NS
    told = {"A": minute(10), "B": minute(5), "C": minute(9)}
    names = ["A", "B", "C", "NEVER"]
    share = stale_share(names, told, lambda _: CALENDAR, minute(2, SECOND_NS), 3 * MINUTE_NS)
    assert share == 0.5  # B, and the one of which nobody has told
    assert stale_share([], {}, lambda _: CALENDAR, SECOND_NS, 0) == 0


def test_of_many_symbols_a_sample_is_looked_at() -> None:
    asked = []

    def calendar_of(symbol: str) -> SessionCalendar:
        asked.append(symbol)
        return CALENDAR

    told = {f"S{number}": FIRST_NS for number in range(1000)}
    stale_share(list(told), told, calendar_of, SECOND_NS, 0, Random(1))
    assert len(set(asked)) == len(asked) == SAMPLE
