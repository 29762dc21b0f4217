"""What a finished run leaves behind, before it is judged."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.models.orders import Execution
from strategy_workers.backtests.errors import ResultTooLargeError
from strategy_workers.runtime.plots import SeriesName

#: Called now and then with what is done of how much.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    return


@dataclass(frozen=True)
class Closes:
    """Of one symbol's candles: when each was known, and the close; oldest first."""

    end_ns: array[int]
    close: array[float]


@dataclass(frozen=True)
class Gap:
    """Time of sessions without a candle, from the end of one to the start of the next."""

    symbol: str
    start_ns: int
    end_ns: int
    #: Intervals within sessions that it is long.
    missing: int


@dataclass(frozen=True)
class Outcome:
    symbols: tuple[str, ...]
    #: What was read: trades, or candles of the files.
    rows: int
    first_ns: int
    last_ns: int
    closes: dict[str, Closes]
    executions: list[Execution]
    cash: Decimal
    equity: Decimal
    #: Symbol → quantity and its worth at the end; flat ones are left out.
    positions: dict[str, tuple[Decimal, Decimal]]
    realized_pnl: Decimal
    fees: Decimal
    signals: int
    orders: int
    rejected: int
    refused: int
    #: Of the candles that were decided on.
    candles: int
    gaps: list[Gap] = field(default_factory=list)
    #: Of a margin account: interest and borrow fees, when and how much.
    charges: list[tuple[datetime, Decimal]] = field(default_factory=list)
    margin_calls: int = 0
    #: Rounds in which positions were closed for a margin call; after the first the strategy is
    #: not asked any more.
    liquidations: int = 0
    #: What the strategy drew: times in ns, and values.
    plots: dict[SeriesName, list[tuple[int, float]]] = field(default_factory=dict)


#: In a result; it is written whole, gzipped or not.
MOST_EXECUTIONS = 100_000


def check_kept(outcome: Outcome, most: int = MOST_EXECUTIONS) -> None:
    """Raises ResultTooLargeError for one with more executions than are kept."""
    found = len(outcome.executions)
    if found > most:
        raise ResultTooLargeError(f"it makes {found} executions; {most} are kept")
