"""Forming candles of a backtest from candles: what those of the files have made so far."""

from collections.abc import Callable

from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from strategy_workers.backtests.candle_market import CandleMarket
from strategy_workers.sdk.forming import joined


class FormingFromBars:
    """Asked with a symbol, gives its candle as of now; time never goes back."""

    def __init__(
        self,
        market: CandleMarket,
        calendar: SessionCalendar,
        timeframe: Timeframe,
        now_ns: Callable[[], int],
    ) -> None:
        self._bars = market.bars
        self._calendar = calendar
        self._timeframe = timeframe
        self._now_ns = now_ns
        self._numbers = {symbol: number for number, symbol in enumerate(market.symbols)}
        self._places: dict[str, list[int]] = {}
        #: By symbol: how many of its bars are taken in, and what they made; where that ends.
        self._taken: dict[str, tuple[int, Candle | None, int]] = {}

    def __call__(self, symbol: str) -> Candle | None:
        """Raises KeyError for a symbol that the run doesn't have."""
        bars, now_ns, number = self._bars, self._now_ns(), self._numbers[symbol]
        places = self._places.get(symbol)
        if places is None:
            places = [place for place, its in enumerate(bars.symbol) if its == number]
            self._places[symbol] = places
        taken, candle, whole_end_ns = self._taken.get(symbol, (0, None, 0))
        while taken < len(places) and bars.end_ns[places[taken]] <= now_ns:
            bar = self._bar(symbol, places[taken])
            if bar.start_ns >= whole_end_ns:
                session = self._calendar.session_at(bar.start_ns)
                _, whole_end_ns = session.interval(self._timeframe, bar.start_ns)
                candle = None
            candle = joined(candle, bar, self._timeframe)
            taken += 1
        self._taken[symbol] = taken, candle, whole_end_ns
        return candle if whole_end_ns > now_ns else None

    def _bar(self, symbol: str, place: int) -> Candle:
        bars = self._bars
        return Candle(
            symbol=Symbol(symbol),
            timeframe=self._timeframe,
            start_ns=bars.start_ns[place],
            end_ns=bars.end_ns[place],
            open=bars.open[place],
            high=bars.high[place],
            low=bars.low[place],
            close=bars.close[place],
            volume=bars.volume[place],
            vwap=bars.vwap[place],
            trades=bars.trades[place],
        )
