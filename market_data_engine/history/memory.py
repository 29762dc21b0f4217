"""The last candles of the symbols that the current run, or the last one, has carried."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from market_data_engine.history.healed import HealedCandles
from market_data_engine.store.stored import StoredCandle
from shared.candles.calendar import NEVER_NS
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from shared.replays.candles import RunCandles

#: Completed candles kept of each symbol and timeframe.
KEPT = 500


def _start(stored: StoredCandle) -> int:
    return stored.candle.start_ns


class CandleMemory:
    """A symbol's time here is the time of the run that carried it last.

    A replay of an earlier day doesn't see the candles that an earlier run left of later days:
    they are in the store, and a query with a range finds them.
    """

    def __init__(self) -> None:
        self._runs: dict[str, RunCandles] = {}
        self._completed: dict[tuple[str, Timeframe], deque[StoredCandle]] = {}
        #: From the store: what came before the run's first candle. Looked up once.
        self._before: dict[tuple[str, Timeframe], list[StoredCandle]] = {}
        #: What providers have told: it isn't replaced by a run.
        self.healed = HealedCandles()

    def begin(self, symbol: str, run: RunCandles) -> None:
        """From now on `symbol` is the run's; what was known of it is forgotten."""
        self._runs[symbol] = run
        for known in (self._completed, self._before):
            for key in [key for key in known if key[0] == symbol]:
                del known[key]

    def forget(self) -> None:
        """Another engine carries the market: it knows better."""
        self._runs.clear()
        self._completed.clear()
        self._before.clear()

    def add(self, stored: StoredCandle) -> None:
        key = (stored.candle.symbol, stored.candle.timeframe)
        window = self._completed.get(key)
        if window is None:
            window = self._completed[key] = deque(maxlen=KEPT)
        window.append(stored)

    def heal(self, healed: Iterable[StoredCandle]) -> None:
        """Candles that were missing, or better ones; the store has them already."""
        by_key: dict[tuple[str, Timeframe], dict[int, StoredCandle]] = {}
        for one in healed:
            of = by_key.setdefault((one.candle.symbol, one.candle.timeframe), {})
            of[one.candle.start_ns] = one
        for key, better in by_key.items():
            window = self._completed.get(key)
            first_ns = window[0].candle.start_ns if window else NEVER_NS
            if min(better) < first_ns:
                # What came before the window is asked of the store again.
                self._before.pop(key, None)
            if not window:
                continue
            merged = {one.candle.start_ns: one for one in window}
            merged |= {
                at: one for at, one in better.items() if first_ns <= at and self.shows(one.candle)
            }
            self._completed[key] = deque((merged[at] for at in sorted(merged)), maxlen=KEPT)

    def put(self, candle: Candle) -> Candle | None:
        """In the place of the run's one that starts then, or between others; the one before.
        One from before all that is kept is only for the store. What else is known of it, `heal`
        is told."""
        window = self._completed.setdefault((candle.symbol, candle.timeframe), deque(maxlen=KEPT))
        stored = StoredCandle(candle, "live", "complete", candle.end_ns)
        place = bisect_left(window, candle.start_ns, key=_start)
        if place < len(window) and _start(window[place]) == candle.start_ns:
            known, window[place] = window[place].candle, stored
            return known
        if place == 0 and len(window) == KEPT:
            return None
        if len(window) == KEPT:
            window.popleft()
            place -= 1
        window.insert(place, stored)
        return None

    def between(
        self, symbol: Symbol, timeframe: Timeframe, start_ns: int, end_ns: int
    ) -> list[Candle]:
        """The run's completed ones that start in the range, oldest first, as far as kept."""
        window = self._completed.get((symbol, timeframe), ())
        return [one.candle for one in window if start_ns <= _start(one) < end_ns]

    def carries(self, symbol: str) -> bool:
        """Whether a run with this symbol is under way."""
        run = self._runs.get(symbol)
        return run is not None and not run.over

    def shows(self, candle: Candle) -> bool:
        """Whether it isn't later than the time that the symbol's run has come to, if any."""
        run = self._runs.get(candle.symbol)
        if run is not None and run.now_ns is not None and candle.end_ns <= run.now_ns:
            return True
        window = self._completed.get((candle.symbol, candle.timeframe))
        return candle.end_ns <= window[-1].candle.end_ns if window else run is None

    def has(self, symbol: str) -> bool:
        run = self._runs.get(symbol)
        return run is not None and run.has(symbol)

    def market_time_ns(self, symbol: str, timeframe: Timeframe) -> int | None:
        """Where completed candles end for the run under way; None when none carries the symbol.

        The store may hold later ones, of an earlier run.
        """
        run = self._runs.get(symbol)
        if run is None or run.over or not run.has(symbol):
            return None
        return self.end_ns(symbol, timeframe)

    def end_ns(self, symbol: str, timeframe: Timeframe) -> int | None:
        """Start of the forming candle, else the end of the last completed one."""
        forming = self.forming(symbol, timeframe)
        if forming is not None:
            return forming.start_ns
        window = self._completed.get((symbol, timeframe))
        return window[-1].candle.end_ns if window else None

    def forming(self, symbol: str, timeframe: Timeframe) -> Candle | None:
        run = self._runs.get(symbol)
        return None if run is None else run.forming(symbol, timeframe)

    def first_ns(self, symbol: str, timeframe: Timeframe) -> int | None:
        """Start of the first candle that is the run's own; None when there is none."""
        window = self._completed.get((symbol, timeframe))
        first = window[0].candle if window else self.forming(symbol, timeframe)
        return None if first is None else first.start_ns

    def lacks_earlier(self, symbol: str, timeframe: Timeframe) -> bool:
        """Whether candles before the run's own have to be asked of the store first."""
        key = (symbol, timeframe)
        return len(self._completed.get(key, ())) < KEPT and key not in self._before

    def forget_earlier(self, symbol: Symbol, timeframe: Timeframe) -> None:
        """The store has others now."""
        self._before.pop((symbol, timeframe), None)

    def set_earlier(self, symbol: str, timeframe: Timeframe, candles: list[StoredCandle]) -> None:
        self._before[(symbol, timeframe)] = candles

    def last(self, symbol: str, timeframe: Timeframe, limit: int) -> list[StoredCandle]:
        """The last completed ones, oldest first, at most `KEPT`."""
        key = (symbol, timeframe)
        window = list(self._completed.get(key, ()))
        limit = min(limit, KEPT)
        if len(window) < limit:
            window = self._before.get(key, []) + window
        return window[-limit:] if limit else []
