"""Named series that a strategy draws: numbers over market time, for charts. Pure."""

import math
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

#: Names of one deployment, and of one with its symbol.
_MOST_SERIES = 20
#: Points that may wait for their snapshot; those after them are left out.
_POINTS_WAITING = 1000
_NAME_CHARS = 60


class Point(msgspec.Struct, frozen=True):
    name: str
    #: Beside whose candles it is drawn, if it is of one symbol.
    symbol: str | None
    value: float
    at: datetime


class SeriesName(NamedTuple):
    name: str
    symbol: str | None


class Plots(Protocol):
    def add(self, series: SeriesName, at_ns: int, value: float) -> bool:
        """At most one of a series and moment: the last. False when there are too many."""
        ...


class PlotsToStore:
    """Those that no snapshot in the database holds yet."""

    def __init__(self, series: list[SeriesName] | None = None) -> None:
        #: All that there have been, which the snapshot remembers.
        self.series: list[SeriesName] = list(series or ())
        self._waiting: dict[tuple[SeriesName, int], float] = {}

    def add(self, series: SeriesName, at_ns: int, value: float) -> bool:
        if series not in self.series:
            if len(self.series) >= _MOST_SERIES:
                return False
            self.series.append(series)
        key = (series, at_ns)
        if len(self._waiting) >= _POINTS_WAITING and key not in self._waiting:
            return False
        self._waiting[key] = value
        return True

    @property
    def waiting(self) -> list[tuple[SeriesName, int, float]]:
        return [(series, at_ns, value) for (series, at_ns), value in self._waiting.items()]

    def __len__(self) -> int:
        return len(self._waiting)

    def stored(self) -> None:
        self._waiting = {}


class ThinnedPlots:
    """Of a run that nobody looks at before its end: of each series so many points, evenly taken.

    Every second one goes when there are too many, and of those that come then every second, fourth,
    … is taken.
    """

    def __init__(self, most_points: int) -> None:
        self._most = most_points
        self._points: dict[SeriesName, list[tuple[int, float]]] = {}
        self._came: dict[SeriesName, int] = {}
        self._step: dict[SeriesName, int] = {}

    def add(self, series: SeriesName, at_ns: int, value: float) -> bool:
        points = self._points.get(series)
        if points is None:
            if len(self._points) >= _MOST_SERIES:
                return False
            points = self._points[series] = []
            self._came[series], self._step[series] = 0, 1
        if points and points[-1][0] == at_ns:
            points[-1] = (at_ns, value)
            return True
        self._came[series] += 1
        if (self._came[series] - 1) % self._step[series] == 0:
            points.append((at_ns, value))
            if len(points) > self._most:
                del points[1::2]
                self._step[series] *= 2
        return True

    @property
    def lines(self) -> dict[SeriesName, list[tuple[int, float]]]:
        return self._points


def plottable(name: object, value: object) -> float:
    """The number to draw. Raises ValueError for what can't be."""
    if not isinstance(name, str) or not name or len(name) > _NAME_CHARS:
        raise ValueError(f"a plot's name is text of up to {_NAME_CHARS} characters, not {name!r}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r} can't be plotted as {name}: it is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value} can't be plotted as {name}")
    return number
