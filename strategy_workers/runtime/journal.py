"""What a deployment's owner can read of it, numbered: signals, log lines, points. Pure."""

from strategy_workers.runtime.desk import Desk, Signal, market_time
from strategy_workers.runtime.lines import Line
from strategy_workers.runtime.plots import PlotsToStore, Point, SeriesName


class Journal:
    """Numbers go on from those that are stored, so that nothing is stored twice."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._signals = 0
        self.stored_lines = 0
        self.stored_points = 0

    @property
    def new_signals(self) -> list[tuple[int, Signal]]:
        """Those since the last snapshot, with their numbers."""
        return list(enumerate(self._desk.signals(), start=self._signals + 1))

    @property
    def new_lines(self) -> list[tuple[int, Line]]:
        return list(enumerate(self._desk.lines.waiting, start=self.stored_lines + 1))

    @property
    def new_points(self) -> list[tuple[int, Point]]:
        plots = self._desk.plots
        waiting = plots.waiting if isinstance(plots, PlotsToStore) else ()
        return [
            (seq, Point(series.name, series.symbol, value, market_time(at_ns)))
            for seq, (series, at_ns, value) in enumerate(waiting, start=self.stored_points + 1)
        ]

    @property
    def signals(self) -> int:
        """How many there have been."""
        return self._signals + self._desk.signal_count

    @property
    def lines(self) -> int:
        return self.stored_lines + len(self._desk.lines.waiting)

    @property
    def points(self) -> int:
        plots = self._desk.plots
        return self.stored_points + (len(plots) if isinstance(plots, PlotsToStore) else 0)

    @property
    def series(self) -> list[SeriesName]:
        plots = self._desk.plots
        return plots.series if isinstance(plots, PlotsToStore) else []

    def restore(self, signals: int, lines: int, points: int, series: list[SeriesName]) -> None:
        self._signals, self.stored_lines, self.stored_points = signals, lines, points
        self._desk.plots = PlotsToStore(series)

    def inherit(self, old: "Journal") -> None:
        """Go on from there; the desk has taken over what waits of it."""
        self._signals = old.signals
        self.stored_lines = old.stored_lines
        self.stored_points = old.stored_points

    def stored(self) -> None:
        self._signals, self.stored_lines, self.stored_points = self.signals, self.lines, self.points
        self._desk.saved()
