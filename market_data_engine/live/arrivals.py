"""What feeds tell, in the order of the tape. Pure: the wall clock is passed in.

A print belongs to the tape when it comes before the mark that ends its slice. One that comes later
fills no order any more; within a grace it *amends* its candles, as do a cancel and a correction of
what was on the tape; after that it is *late*, and nothing becomes of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Literal

from market_data_engine.feeds.events import Cancel, Correction, FeedEvent, Print, Quote
from market_data_engine.live.recent import Minute, RecentPrints, minute_of
from shared.models.identifiers import Symbol
from shared.models.market import Quotes, Trades
from shared.replays.slices import Slice

Outcome = Literal[
    "taken",
    "amending",
    "late",
    "duplicate",
    "outdated",
    "unsound",
    "from_the_future",
    "unasked",
    "not_undone",
]

#: Ids of prints that are remembered for each symbol, to know them when they come again.
KNOWN_IDS = 10_000
#: What is dated so much later than it came has a wrong date.
MOST_AHEAD_NS = 5_000_000_000
#: What is dated so much earlier, too: no candle is corrected for it.
MOST_BEHIND_NS = 24 * 3600 * 1_000_000_000

_by_time: Callable[[Print | Quote], int] = attrgetter("at_ns")


@dataclass(slots=True)
class _OfSymbol:
    #: In the order they came.
    ids: dict[str, None] = field(default_factory=dict)
    last_quote_ns: int = 0

    def learn(self, name: str) -> bool:
        """Whether it is the first print of that id."""
        if name in self.ids:
            return False
        self.ids[name] = None
        if len(self.ids) > KNOWN_IDS:
            del self.ids[next(iter(self.ids))]
        return True


class Arrivals:
    def __init__(
        self, symbols: Iterable[str], grace_ns: int = 0, earlier: Iterable[Print] = ()
    ) -> None:
        """`grace_ns`: prints so much older than the last mark still amend their candles;
        `earlier`: of the minute in which the run goes on for another."""
        self._grace_ns = grace_ns
        #: What was on the tape, or would have been, as long as it can be amended.
        self.recent = RecentPrints()
        if grace_ns:
            self.recent.add(earlier)
        self._touched: dict[Minute, None] = {}
        #: The first mark: what was before is none of this run's.
        self._began_ns: int | None = None
        self._symbols = {symbol: _OfSymbol() for symbol in symbols}
        self._prints: list[Print] = []
        self._quotes: list[Quote] = []
        #: Everything before it has been on the tape.
        self._mark_ns = 0
        #: The last time on the tape, marks or not.
        self._floor_ns = 0

    def add(self, event: FeedEvent, wall_ns: int) -> Outcome:
        known = self._symbols.get(event.symbol)
        if known is None:
            return "unasked"
        if event.at_ns > wall_ns + MOST_AHEAD_NS:
            return "from_the_future"
        match event:
            case Print():
                return self._add_print(event, known, wall_ns)
            case Quote():
                return self._add_quote(event, known)
            case Cancel(id=name):
                return self._undo(event.symbol, name)
            case Correction(id=name, now=now):
                return self._correct(known, name, now)

    def _add_print(self, event: Print, known: _OfSymbol, wall_ns: int) -> Outcome:
        if not event.is_sound:
            return "unsound"
        if event.at_ns < wall_ns - MOST_BEHIND_NS:
            return "outdated"
        if event.id is not None and not known.learn(event.id):
            return "duplicate"
        if event.at_ns < self._mark_ns:
            if self._began_ns is None or event.at_ns < max(
                self._began_ns, self._mark_ns - self._grace_ns
            ):
                return "late"
            self.recent.add([event])
            self._touched[minute_of(event.symbol, event.at_ns)] = None
            return "amending"
        self._prints.append(event)
        return "taken"

    def _add_quote(self, event: Quote, known: _OfSymbol) -> Outcome:
        if not event.is_sound:
            return "unsound"
        # A newer one of the symbol is known: what the book was before says nothing.
        if event.at_ns < max(known.last_quote_ns, self._mark_ns):
            return "outdated"
        known.last_quote_ns = event.at_ns
        self._quotes.append(event)
        return "taken"

    def _correct(self, known: _OfSymbol, name: str, now: Print) -> Outcome:
        """What holds gets the time of what was said: the message's own is when it was sent."""
        if not now.is_sound:
            return "unsound"
        if now.id is not None and now.id != name and now.id in known.ids:
            return "duplicate"
        outcome = self._undo(now.symbol, name, now)
        if now.id is not None and outcome != "not_undone":
            known.learn(now.id)
        return outcome

    def _undo(self, symbol: str, name: str, instead: Print | None = None) -> Outcome:
        """What is on the tape can't be taken from it: only its candles are made again."""
        for place, waiting in enumerate(self._prints):
            if waiting.id == name and waiting.symbol == symbol:
                now = [] if instead is None else [replace(instead, at_ns=waiting.at_ns)]
                self._prints[place : place + 1] = now
                return "taken"
        undone = self.recent.undo(symbol, name, instead)
        if undone is None:
            return "not_undone"
        self._touched[minute_of(symbol, undone.at_ns)] = None
        return "amending"

    def touched(self) -> list[Minute]:
        """Minutes whose candles have to be made again, once; oldest first."""
        touched, self._touched = sorted(self._touched, key=lambda minute: minute[1]), {}
        return touched

    def take(self, before_ns: int, *, mark: bool) -> Slice | None:
        """All that is dated before `before_ns`; None when there is nothing.

        With `mark` that time is over: what comes later and is dated before it is late.
        """
        prints = sorted((one for one in self._prints if one.at_ns < before_ns), key=_by_time)
        quotes = sorted((one for one in self._quotes if one.at_ns < before_ns), key=_by_time)
        if prints:
            self._prints = [one for one in self._prints if one.at_ns >= before_ns]
        if quotes:
            self._quotes = [one for one in self._quotes if one.at_ns >= before_ns]
        # What came a little out of order between two marks gets the time of what it came after.
        floor_ns = self._floor_ns
        piece = Slice(_trades(prints, floor_ns), before_ns, _quotes(quotes, floor_ns))
        last: list[Print | Quote] = [*prints[-1:], *quotes[-1:]]
        self._floor_ns = max([floor_ns, *map(_by_time, last)])
        if self._grace_ns:
            self.recent.add(prints)
        if mark:
            if self._began_ns is None:
                self._began_ns = before_ns
            self.recent.forget(before_ns - self._grace_ns)
            self._mark_ns = before_ns
            self._floor_ns = max(self._floor_ns, before_ns)
        return piece if prints or quotes else None


def _trades(prints: list[Print], floor_ns: int) -> Trades:
    symbols = list(dict.fromkeys(event.symbol for event in prints))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    return Trades(
        symbols=[Symbol(symbol) for symbol in symbols],
        symbol_index=[number[event.symbol] for event in prints],
        at_ns=[max(floor_ns, event.at_ns) for event in prints],
        price=[event.price for event in prints],
        size=[event.size for event in prints],
    )


def _quotes(quotes: list[Quote], floor_ns: int) -> Quotes | None:
    if not quotes:
        return None
    symbols = list(dict.fromkeys(event.symbol for event in quotes))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    return Quotes(
        symbols=[Symbol(symbol) for symbol in symbols],
        symbol_index=[number[event.symbol] for event in quotes],
        at_ns=[max(floor_ns, event.at_ns) for event in quotes],
        bid=[event.bid for event in quotes],
        ask=[event.ask for event in quotes],
        bid_size=[event.bid_size for event in quotes],
        ask_size=[event.ask_size for event in quotes],
    )
