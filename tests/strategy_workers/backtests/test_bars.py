"""Larger candles from smaller ones, by the rules that prints follow."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from shared.candles.builder import CandleBuilder
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import DAY_NS, HOUR_NS, MINUTE_NS
from shared.models.identifiers import TIMEFRAMES, Symbol
from shared.models.market import Candle
from strategy_workers.backtests.bars import base_timeframe, folded, with_intervals
from strategy_workers.backtests.errors import BadBacktestError
from tests.strategy_workers.backtests.support import MONDAY_NS, walk

_DAYS = [date(2019, 1, 7 + n) for n in range(5)]
#: From 09:00 to 16:50: the last interval of most timeframes is cut short.
SESSIONS = SessionCalendar(
    [MONDAY_NS + n * DAY_NS + 9 * HOUR_NS for n in range(5)],
    [MONDAY_NS + n * DAY_NS + 16 * HOUR_NS + 50 * MINUTE_NS for n in range(5)],
    _DAYS,
)


def rows_of(candles: list[Candle]) -> pl.DataFrame:
    names = ("start_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "end_ns")
    return pl.DataFrame({name: [getattr(one, name) for one in candles] for name in names})


@pytest.mark.parametrize("calendar", [SessionCalendar.continuous(), SESSIONS])
@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_folded_candles_are_those_of_the_builder(calendar: SessionCalendar, timeframe: Any) -> None:
    builder = CandleBuilder(Symbol("AAA"), calendar)
    made: list[Candle] = []
    for start_ns, *prices in walk(3, 4 * 1440, holes=True):
        in_session = calendar.session_at(max(start_ns, MONDAY_NS + 9 * HOUR_NS))
        if in_session.open_ns <= start_ns < in_session.close_ns:
            made += builder.add_trades([start_ns] * 4, prices, [1.0, 2.0, 3.0, 4.0])
    minutes = [one for one in made if one.timeframe == "1m"]
    wanted = [one for one in made if one.timeframe == timeframe]
    rows = rows_of(minutes)
    found = folded("AAA", rows, "1m", timeframe, calendar)
    # Time has come to the end of the last minute only.
    complete = rows_of([one for one in wanted if one.end_ns <= minutes[-1].end_ns] or wanted[:0])
    assert found.height >= (1 if timeframe in ("1m", "5m", "1h") else 0)
    exact = ["start_ns", "end_ns", "open", "high", "low", "close", "trades"]
    if complete.height:
        assert found.select(exact).rows() == complete.select(exact).rows()
        for name in ("volume", "vwap"):
            assert found[name].to_list() == pytest.approx(complete[name].to_list())


@pytest.mark.parametrize(
    ("step_ns", "timeframe"),
    [
        (MINUTE_NS, "1m"),
        (5 * MINUTE_NS, "5m"),
        (HOUR_NS, "1h"),
        (DAY_NS, "1d"),
        (23 * HOUR_NS, "1d"),
        (7 * DAY_NS, "1w"),
    ],
)
def test_the_least_distance_tells_the_timeframe(step_ns: int, timeframe: str) -> None:
    rows = pl.DataFrame({"start_ns": [MONDAY_NS, MONDAY_NS + 3 * step_ns, MONDAY_NS + 4 * step_ns]})
    assert base_timeframe("AAA", rows, "1m") == timeframe


def test_a_distance_of_no_timeframe_is_refused() -> None:
    rows = pl.DataFrame({"start_ns": [MONDAY_NS, MONDAY_NS + 90 * 10**9]})
    with pytest.raises(BadBacktestError, match="90 s apart"):
        base_timeframe("AAA", rows, "1m")


@pytest.mark.parametrize("hour", [0, 5, 9])
def test_a_day_gets_the_times_of_its_session(hour: int) -> None:
    rows = pl.DataFrame({"start_ns": [MONDAY_NS + DAY_NS + hour * HOUR_NS]})
    found, _ = with_intervals("AAA", rows, "1d", SESSIONS)
    tuesday = MONDAY_NS + DAY_NS
    assert found.select("start_ns", "end_ns").row(0) == (
        tuesday + 9 * HOUR_NS,
        tuesday + 16 * HOUR_NS + 50 * MINUTE_NS,
    )


def test_what_is_missing_in_sessions_is_found() -> None:
    opens = MONDAY_NS + 9 * HOUR_NS
    starts = [opens, opens + MINUTE_NS, opens + 4 * MINUTE_NS, opens + 3 * DAY_NS]
    _, gaps = with_intervals("AAA", pl.DataFrame({"start_ns": starts}), "1m", SESSIONS)
    assert [(gap.start_ns - opens, gap.end_ns - opens, gap.missing) for gap in gaps] == [
        (2 * MINUTE_NS, 4 * MINUTE_NS, 2),
        (DAY_NS, 3 * DAY_NS, 2),
    ]


@pytest.mark.parametrize(("base", "wanted"), [("5m", "1m"), ("1d", "1h"), ("3m", "5m")])
def test_candles_that_can_not_make_others_are_refused(base: Any, wanted: Any) -> None:
    with pytest.raises(BadBacktestError):
        folded("AAA", pl.DataFrame({"start_ns": [MONDAY_NS]}), base, wanted, SESSIONS)


def test_the_test_calendar_is_what_it_says() -> None:
    assert datetime.fromtimestamp(MONDAY_NS // 10**9, UTC).date() == _DAYS[0]
