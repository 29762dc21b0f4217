"""The candles of a backtest as columns: when each ends, and what they make of larger timeframes.

The rules are those of `shared/candles`: intervals are counted from the session's open.
"""

from itertools import pairwise

import polars as pl

from shared.candles.calendar import Session, SessionCalendar
from shared.candles.timeframes import DAY_NS, LENGTH_NS
from shared.models.identifiers import TIMEFRAMES, Timeframe
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.outcome import Gap

_HOUR_NS = LENGTH_NS["1h"]
_FOLDING = (
    pl.col("open").first(),
    pl.col("high").max(),
    pl.col("low").min(),
    pl.col("close").last(),
    pl.col("volume").sum(),
    (pl.col("vwap") * pl.col("volume")).sum().alias("notional"),
    pl.col("trades").sum(),
)


def base_timeframe(symbol: str, rows: pl.DataFrame, wanted: Timeframe) -> Timeframe:
    """What the candles are of: the least distance of two. Of a single one, what is wanted."""
    if rows.height < 2:
        return wanted
    step_ns = int(rows["start_ns"].diff().min())  # type: ignore[arg-type]
    for timeframe in TIMEFRAMES[:-2]:
        if step_ns == LENGTH_NS[timeframe]:
            return timeframe
    # Midnights of a place with summer time are not a day apart twice a year.
    if DAY_NS - _HOUR_NS <= step_ns <= DAY_NS + _HOUR_NS:
        return "1d"
    if 6 * DAY_NS <= step_ns <= 8 * DAY_NS:
        return "1w"
    raise BadBacktestError(
        f"the candles of {symbol} are {step_ns / 1e9:g} s apart, which is none of the timeframes"
        f" {' '.join(TIMEFRAMES)}"
    )


def with_intervals(
    symbol: str, rows: pl.DataFrame, timeframe: Timeframe, calendar: SessionCalendar
) -> tuple[pl.DataFrame, list[Gap]]:
    """`start_ns` and `end_ns` of each by the calendar; and what is missing in sessions.

    Intraday candles keep their start. Those of days and weeks get the sessions' times: they are
    of the session whose middle comes next. Raises OutsideCalendarError.
    """
    if timeframe in ("1d", "1w"):
        spans = [_span_of_day(timeframe, at_ns, calendar) for at_ns in rows["start_ns"].to_list()]
        for one, other in pairwise(spans):
            if one == other:
                raise BadBacktestError(f"two candles of {symbol} are of the same session")
        starts, ends = [span[0] for span in spans], [span[1] for span in spans]
        gaps: list[Gap] = []
        rows = rows.with_columns(pl.Series("start_ns", starts, dtype=pl.Int64))
    else:
        ends, gaps = _intraday_ends(symbol, rows["start_ns"].to_list(), timeframe, calendar)
    return rows.with_columns(pl.Series("end_ns", ends, dtype=pl.Int64)), gaps


def _span_of_day(timeframe: Timeframe, at_ns: int, calendar: SessionCalendar) -> tuple[int, int]:
    session = calendar.session_at(at_ns)
    while (session.open_ns + session.close_ns) // 2 <= at_ns:
        session = calendar.session_at(session.next_open_ns)
    return session.interval(timeframe, session.open_ns)


def _intraday_ends(
    symbol: str, starts: list[int], timeframe: Timeframe, calendar: SessionCalendar
) -> tuple[list[int], list[Gap]]:
    length = LENGTH_NS[timeframe]
    ends: list[int] = []
    gaps: list[Gap] = []
    session: Session | None = None
    opens = closes = next_open = before = 0
    for start in starts:
        if start >= next_open or session is None:
            past, session = session, calendar.session_at(start)
            opens, closes, next_open = session.open_ns, session.close_ns, session.next_open_ns
            if past is not None:
                missing = _sessions_between(past, session, calendar)
                if missing:
                    gaps.append(Gap(symbol, past.next_open_ns, opens, missing))
            before = start
        elif start > before and start < closes:
            gaps.append(Gap(symbol, before, start, -(-(start - before) // length)))
        limit = closes if start < closes else next_open
        end = min(start + length, limit)
        ends.append(end)
        before = end
    return ends, gaps


def _sessions_between(past: Session, present: Session, calendar: SessionCalendar) -> int:
    missing = 0
    while past.next_open_ns < present.open_ns:
        past = calendar.session_at(past.next_open_ns)
        missing += 1
    return missing


def folded(
    symbol: str,
    rows: pl.DataFrame,
    base: Timeframe,
    timeframe: Timeframe,
    calendar: SessionCalendar,
) -> pl.DataFrame:
    """The candles of `timeframe`; one whose end the rows don't reach is not complete."""
    if timeframe == base:
        return rows
    if base in ("1d", "1w") and timeframe not in ("1d", "1w"):
        raise BadBacktestError(f"{symbol} has {base} candles: they can't make {timeframe} ones")
    if LENGTH_NS[timeframe] % LENGTH_NS[base]:
        raise BadBacktestError(f"{symbol} has {base} candles: they don't fit into {timeframe} ones")
    spans = _intervals(timeframe, rows["start_ns"].to_list(), calendar)
    keyed = rows.with_columns(
        pl.Series("whole_start", [span[0] for span in spans], dtype=pl.Int64),
        pl.Series("whole_end", [span[1] for span in spans], dtype=pl.Int64),
    )
    across = keyed.filter(pl.col("end_ns") > pl.col("whole_end"))
    if across.height:
        raise BadBacktestError(
            f"candles of {symbol} don't begin where the exchange's intervals do: they can't make"
            f" {timeframe} ones"
        )
    whole = keyed.group_by("whole_start", "whole_end", maintain_order=True).agg(*_FOLDING)
    vwap = pl.when(pl.col("volume") > 0).then(pl.col("notional") / pl.col("volume"))
    return (
        whole.filter(pl.col("whole_end") <= rows["end_ns"][-1])
        .with_columns(
            vwap.otherwise(pl.col("close")).clip(pl.col("low"), pl.col("high")).alias("vwap")
        )
        .rename({"whole_start": "start_ns", "whole_end": "end_ns"})
        .select(rows.columns)
    )


def _intervals(
    timeframe: Timeframe, starts: list[int], calendar: SessionCalendar
) -> list[tuple[int, int]]:
    session = calendar.session_at(starts[0])
    spans = []
    for at_ns in starts:
        if at_ns >= session.next_open_ns:
            session = calendar.session_at(at_ns)
        spans.append(session.interval(timeframe, at_ns))
    return spans
