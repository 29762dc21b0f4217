"""The prints of the last while, so that candles can be made again when one of them was wrong."""

from collections.abc import Iterable
from dataclasses import replace

from market_data_engine.feeds.events import Print
from shared.candles.timeframes import MINUTE_NS

#: Symbol and number of a minute since the epoch: intervals of a minute begin on whole ones.
Minute = tuple[str, int]


def minute_of(symbol: str, at_ns: int) -> Minute:
    return symbol, at_ns // MINUTE_NS


class RecentPrints:
    def __init__(self) -> None:
        #: By minute, oldest minute first as they come; in a minute in order of arrival.
        self._minutes: dict[Minute, list[Print]] = {}
        #: (symbol, id) → minute.
        self._named: dict[tuple[str, str], Minute] = {}

    def add(self, prints: Iterable[Print]) -> None:
        for one in prints:
            minute = minute_of(one.symbol, one.at_ns)
            self._minutes.setdefault(minute, []).append(one)
            if one.id is not None:
                self._named[(one.symbol, one.id)] = minute

    def undo(self, symbol: str, name: str, instead: Print | None = None) -> Print | None:
        """Take out the print of that name, or put another in its place and at its time.

        What was taken out; None when it isn't known (any more), or is all that its minute has.
        """
        minute = self._named.get((symbol, name))
        if minute is None:
            return None
        prints = self._minutes[minute]
        place = next(place for place, one in enumerate(prints) if one.id == name)
        if instead is None and len(prints) == 1:
            return None
        undone = prints.pop(place)
        del self._named[(symbol, name)]
        if instead is not None:
            prints.insert(place, replace(instead, at_ns=undone.at_ns))
            if instead.id is not None:
                self._named[(symbol, instead.id)] = minute
        return undone

    def of(self, minute: Minute) -> list[Print]:
        """Oldest first; of one time in order of arrival."""
        return sorted(self._minutes.get(minute, ()), key=lambda one: one.at_ns)

    def forget(self, before_ns: int) -> None:
        """All minutes that ended before that."""
        last = before_ns // MINUTE_NS
        for minute in [minute for minute in self._minutes if minute[1] < last]:
            for one in self._minutes.pop(minute):
                if one.id is not None:
                    self._named.pop((one.symbol, one.id), None)
