"""The candle that is under way, as of the last completed minute."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

#: What forming candles are made of.
FINEST: Final[Timeframe] = "1m"


class _Known(NamedTuple):
    #: Up to where all has been taken in.
    until_ns: int
    #: None between two intervals.
    candle: Candle | None


class FormingCandles:
    """`hour["SPY"]` is the candle of this interval so far: its `end_ns` is that of the last
    completed minute in it.

    None while the interval has no completed minute, and in an interval whose begin wasn't seen.
    """

    def __init__(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self._symbols = tuple(symbols)
        #: Of symbols whose present interval was seen from its begin.
        self._known: dict[str, _Known] = {}
        self._source: Callable[[str], Candle | None] | None = None

    def __getitem__(self, symbol: str) -> Candle | None:
        if self._source is not None:
            return self._source(symbol)
        if symbol not in self._symbols:
            raise KeyError(symbol)
        known = self._known.get(symbol)
        return None if known is None else known.candle

    # --- for the platform ----------------------------------------------------------------------

    def take(self, candle: Candle) -> None:
        """A completed candle of the finest timeframe, or of this one, which ends its interval."""
        symbol = candle.symbol
        if candle.timeframe == self.timeframe:
            self._known[symbol] = _Known(candle.end_ns, None)
        elif (known := self._known.get(symbol)) and candle.start_ns >= known.until_ns:
            forming = joined(known.candle, candle, self.timeframe)
            self._known[symbol] = _Known(candle.end_ns, forming)

    def begin(self) -> None:
        """A run begins: an interval is what is printed from here on."""
        self._known = {symbol: _Known(0, None) for symbol in self._symbols}

    def forget(self) -> None:
        """Something was missed: it is known again when its next interval begins."""
        self._known = {}

    def read_from(self, source: Callable[[str], Candle | None]) -> None:
        """Ask `source` instead of listening."""
        self._source = source

    def state(self) -> dict[str, Any]:
        return {
            symbol: [
                known.until_ns,
                None if known.candle is None else msgspec.structs.astuple(known.candle)[2:],
            ]
            for symbol, known in self._known.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._known = {
            symbol: _Known(
                until_ns,
                None if columns is None else Candle(Symbol(symbol), self.timeframe, *columns),
            )
            for symbol, (until_ns, columns) in state.items()
        }


def joined(before: Candle | None, candle: Candle, timeframe: Timeframe) -> Candle:
    """`before`, which is of `timeframe`, and what came after it."""
    if before is None:
        return msgspec.structs.replace(candle, timeframe=timeframe)
    volume = before.volume + candle.volume
    notional = before.vwap * before.volume + candle.vwap * candle.volume
    return Candle(
        symbol=candle.symbol,
        timeframe=timeframe,
        start_ns=before.start_ns,
        end_ns=candle.end_ns,
        open=before.open,
        high=max(before.high, candle.high),
        low=min(before.low, candle.low),
        close=candle.close,
        volume=volume,
        vwap=notional / volume if volume > 0 else candle.close,
        trades=before.trades + candle.trades,
    )


def series_of(
    symbols: Iterable[str], timeframes: Iterable[Timeframe]
) -> list[tuple[str, Timeframe]]:
    """What has to be listened to for forming candles of `timeframes`."""
    wanted = dict.fromkeys(timeframes)
    return [(s, t) for s in symbols for t in ((FINEST, *wanted) if wanted else ())]
