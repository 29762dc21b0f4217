"""The score of a day's candles: what it counts, and by how much."""

from datetime import date

import pytest
from msgspec.structs import replace

from market_data_engine.feeds.presence import Span
from market_data_engine.quality.score import Assessment, assess
from market_data_engine.store.stored import Quality, StoredCandle
from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from tests.shared.candles.sessions import MINUTE, SECOND, ns

#: New York's: 04:00 to 20:00, of these 09:30 to 16:00 are regular.
HOURS = [ns(f"2026-03-19 {hour}") for hour in ("08:00", "13:30", "20:00")]
SESSION = SessionCalendar(
    HOURS[:1], [ns("2026-03-20 00:00")], [date(2026, 3, 19)], HOURS[1:2], HOURS[2:]
).session_at(HOURS[1])
OPEN = SESSION.regular_open_ns
MINUTES = (SESSION.regular_close_ns - OPEN) // MINUTE
LONG_AFTER = SESSION.close_ns + 10_000 * MINUTE


def stored(minute: int, source: str = "live", quality: Quality = "complete") -> StoredCandle:
    start_ns = OPEN + minute * MINUTE
    one = Candle(
        Symbol("A"), "1m", start_ns, start_ns + MINUTE, 10.0, 10.0, 10.0, 10.0, 1.0, 10.0, 1
    )
    return StoredCandle(one, source, quality, one.end_ns + SECOND)


def scored(
    candles: list[StoredCandle],
    quiet: list[Span] | None = None,
    until_ns: int = LONG_AFTER,
    timeframe: Timeframe = "1m",
) -> Assessment:
    found = assess(SESSION, timeframe, until_ns, candles, quiet or [])
    assert found is not None
    return found


ALL = [stored(minute) for minute in range(MINUTES)]


def test_a_day_with_all_its_candles_in_time_scores_a_hundred_and_none_at_all_zero() -> None:
    assert scored(ALL).score == 100.0
    assert scored([]).score == 0.0
    assert scored(ALL).sources == ("live",)


def test_a_minute_that_is_known_to_be_without_trades_is_nothing_missing() -> None:
    half = [one for one in ALL if one.candle.start_ns % (2 * MINUTE)]
    there = [Span(OPEN, OPEN + 100 * MINUTE), Span(OPEN + 100 * MINUTE, SESSION.close_ns)]
    found = scored(half, there)
    assert (found.score, found.quiet) == (100.0, MINUTES - len(half))
    assert scored(half).score < 76


@pytest.mark.parametrize(
    ("candles", "score"),
    [
        # A tenth is missing in one piece: 0.50 and 0.15 of it are lost.
        (ALL[: MINUTES // 2] + ALL[MINUTES // 2 + MINUTES // 10 :], 93.5),
        # A tenth is missing in many pieces: the longest is one minute.
        ([one for index, one in enumerate(ALL) if index % 10], 95.0),
        # A fifth was healed: 0.1 of 0.15 of it.
        ([replace(one, quality="healed", source="x") for one in ALL[:78]] + ALL[78:], 99.7),
        ([replace(one, quality="partial") for one in ALL[:78]] + ALL[78:], 98.5),
        # A fifth was amended by late prints.
        (
            [replace(one, as_of_ns=one.candle.end_ns + 30 * SECOND) for one in ALL[:78]] + ALL[78:],
            98.0,
        ),
        # Nothing has come for six minutes: half of 0.10, and the rest as for any gap.
        (ALL[:-6], 94.0),
        (ALL[:-39], 83.5),
    ],
    ids=["one gap", "many gaps", "healed", "partial", "corrected", "behind", "stale"],
)
def test_each_weakness_costs_its_share(candles: list[StoredCandle], score: float) -> None:
    assert MINUTES == 390
    assert scored(candles).score == score


def test_what_is_imported_years_later_is_no_correction() -> None:
    late = [replace(one, source="import", as_of_ns=LONG_AFTER) for one in ALL]
    assert scored(late).score == 100.0


def test_only_intervals_that_are_over_are_expected() -> None:
    found = scored(ALL[:30], until_ns=OPEN + 30 * MINUTE + 59 * SECOND)
    assert (found.expected, found.score) == (30, 100.0)
    assert assess(SESSION, "1m", OPEN + MINUTE - 1, [], []) is None
    assert assess(SESSION, "1d", SESSION.close_ns - 1, [], []) is None


def test_larger_timeframes_have_the_intervals_that_touch_regular_hours() -> None:
    assert scored([], timeframe="1h").expected == 7  # 09:00 to 16:00
    assert scored([], timeframe="4h").expected == 2  # 08:00 to 16:00
    assert scored([], timeframe="1d").expected == 1
