"""What a backtest is to do."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import Timeframe
from shared.models.margin import MarginTerms
from shared.trading.paper_terms import DEFAULT, PaperTerms
from strategy_workers.backtests.attendance import Attendance
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.sdk import Strategy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER_NS = (1 << 63) - 1


@dataclass(frozen=True)
class TimeRange:
    """Days in UTC, both included; None is open."""

    first: date | None = None
    last: date | None = None

    @property
    def start_ns(self) -> int:
        return 0 if self.first is None else _midnight_ns(self.first)

    @property
    def end_ns(self) -> int:
        """Exclusive."""
        return _NEVER_NS if self.last is None else _midnight_ns(self.last + timedelta(days=1))

    def __str__(self) -> str:
        first, last = (day.strftime("%Y%m%d") if day else "" for day in (self.first, self.last))
        return f"{first}-{last}"


@dataclass(frozen=True)
class TimeSpan(TimeRange):
    """To the nanosecond."""

    from_ns: int = 0
    #: Exclusive.
    until_ns: int = _NEVER_NS

    @property
    def start_ns(self) -> int:
        return self.from_ns

    @property
    def end_ns(self) -> int:
        return self.until_ns


def parse_timerange(text: str) -> TimeRange:
    """`20130101-20131231`, and either side may be left out. Raises BadBacktestError."""
    first, dash, last = text.partition("-")
    try:
        if not dash:
            raise ValueError
        found = TimeRange(_day(first), _day(last))
    except ValueError:
        raise BadBacktestError(
            f"a time range looks like 20130101-20131231, 20130101- or -20131231, not {text}"
        ) from None
    if found.first and found.last and found.first > found.last:
        raise BadBacktestError(f"the time range {text} ends before it begins")
    return found


def _day(text: str) -> date | None:
    if not text:
        return None
    if len(text) != 8:
        raise ValueError
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()


def _midnight_ns(day: date) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH).days * 86_400 * 10**9


@dataclass(frozen=True)
class Terms:
    """Of the account and of all its instruments; the defaults are the platform's."""

    capital: Decimal = Decimal(100_000)
    paper: PaperTerms = DEFAULT
    reserve_buffer_bps: Decimal = Decimal(100)
    currency: str = "USD"
    exchange: str = "XNYS"
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    #: None: a cash account.
    margin: MarginTerms | None = None
    #: A year, on the value of what was borrowed.
    borrow_fee_bps: Decimal = Decimal(0)
    #: What can be borrowed at all.
    shortable: bool = True


@dataclass(frozen=True)
class Plan:
    strategy: type[Strategy]
    #: As `parse_parameters` returned them.
    parameters: dict[str, Any]
    timeframe: Timeframe
    source: Literal["trades", "candles"]
    files: tuple[Path, ...]
    calendar: SessionCalendar
    timerange: TimeRange = TimeRange()
    terms: Terms = Terms()
    #: Candles from before `timerange` that the strategy has heard when it begins, as a live run
    #: loads them: right before it, as many as the strategy keeps. For candles only.
    history: TimeRange | None = None
    #: That the strategy hears; None: all of the files.
    symbols: tuple[str, ...] | None = None
    #: Of a run that is made again.
    attendance: Attendance | None = None

    @property
    def timeframes(self) -> tuple[Timeframe, ...]:
        """All that the strategy hears, the plan's own first."""
        more = self.strategy(self.parameters).more_timeframes()
        return tuple(dict.fromkeys((self.timeframe, *more)))
