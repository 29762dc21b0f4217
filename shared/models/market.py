"""The tape: market data and time, in one order that everyone sees (see `shared.redis.tape`).

Times are integer nanoseconds since the epoch, UTC. Prices and sizes are floats: market data
is measured, not owed. They become `Decimal` where they touch an order.
"""

from typing import Literal

import msgspec

from shared.models.base import Message
from shared.models.identifiers import Symbol, Timeframe


class Trades(Message, frozen=True, tag="trades"):
    """Trade prints of any symbols, in time order. The four columns have equal length."""

    symbols: list[Symbol]
    #: Index into `symbols`, print by print.
    symbol_index: list[int]
    at_ns: list[int]
    price: list[float]
    size: list[float]


class Quotes(Message, frozen=True, tag="quotes"):
    """Best bids and offers of any symbols, in time order. The columns have equal length.

    Each row is all that is known of its symbol's book from then on. A side without a quote has
    price and size 0.
    """

    symbols: list[Symbol]
    #: Index into `symbols`, quote by quote.
    symbol_index: list[int]
    at_ns: list[int]
    bid: list[float]
    ask: list[float]
    bid_size: list[float]
    ask_size: list[float]


class Halts(Message, frozen=True, tag="halts"):
    """Trading in symbols is halted, or may go on. The columns have equal length, in time order."""

    symbols: list[Symbol]
    at_ns: list[int]
    halted: list[bool]


# Names and numbers only, so no cycle can go through it: not for the garbage collector to visit.
class Candle(msgspec.Struct, frozen=True, gc=False):
    """One candle. `end_ns` is exclusive; `start_ns` names it."""

    symbol: Symbol
    timeframe: Timeframe
    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    #: Volume-weighted average price; the close when the volume is zero.
    vwap: float
    #: Number of trades.
    trades: int


class Candles(Message, frozen=True, tag="candles"):
    """Candles completed at one moment, small timeframes first."""

    candles: list[Candle]


class TimeMark(Message, frozen=True, tag="mark"):
    """Market time has come to `at_ns`; all before it is on the tape already.

    A mark is put on the tape twice: first for the `market` phase (order processors fill
    working orders from what came before), then for the `strategy` phase (deployments decide
    on completed candles and send orders). In a paced run each phase waits for all who take
    part in it; otherwise nobody waits.
    """

    #: From 1 within a run.
    number: int
    at_ns: int
    phase: Literal["market", "strategy"]
    paced: bool
    run_id: str = ""


class RunStarted(Message, frozen=True, tag="run_started"):
    """A feed takes over the tape. Prices and times before it have no meaning for it."""

    run_id: str
    #: `replay` and `synthetic` run on virtual time, `live` on the wall clock.
    source: Literal["live", "replay", "synthetic"]
    paced: bool


class RunEnded(Message, frozen=True, tag="run_ended"):
    run_id: str


TapeEntry = Trades | Quotes | Halts | Candles | TimeMark | RunStarted | RunEnded


class Acknowledgement(Message, frozen=True, tag="ack"):
    """`participant` has done all there is to do before (and in) this mark."""

    participant: str
    number: int
    phase: Literal["market", "strategy", "observe"]
    #: The mark's run; observers, who may lag, leave it out.
    run_id: str = ""


class CandleUpdated(Message, frozen=True, tag="candle"):
    """Frame of the topic `candles.{symbol}.{timeframe}`: forming, or complete."""

    candle: Candle
    complete: bool
    #: It was complete before, or should have been: prints came late, or were taken back. It may
    #: stand before others, and the forming one goes on.
    corrected: bool = False
