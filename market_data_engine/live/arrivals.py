"""What feeds tell, in the order of the tape. Pure: the wall clock is passed in.

A print belongs to the tape when it comes before the mark that ends its slice; one that comes
later is *late*: it fills no order any more, and completed candles stay as they are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from market_data_engine.feeds.events import Cancel, Correction, FeedEvent, Print, Quote
from shared.models.identifiers import Symbol
from shared.models.market import Quotes, Trades
from shared.replays.slices import Slice

Outcome = Literal[
    "taken", "late", "duplicate", "outdated", "unsound", "from_the_future", "unasked", "not_undone"
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


class Arrivals:
    def __init__(self, symbols: Iterable[str]) -> None:
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
                return self._cancel(event.symbol, name)
            case Correction(id=name, now=now):
                undone = self._cancel(event.symbol, name)
                if undone == "taken":
                    return self._add_print(now, known, wall_ns)
                return undone

    def _add_print(self, event: Print, known: _OfSymbol, wall_ns: int) -> Outcome:
        if not event.is_sound:
            return "unsound"
        if event.at_ns < wall_ns - MOST_BEHIND_NS:
            return "outdated"
        if event.id is not None:
            if event.id in known.ids:
                return "duplicate"
            known.ids[event.id] = None
            if len(known.ids) > KNOWN_IDS:
                del known.ids[next(iter(known.ids))]
        if event.at_ns < self._mark_ns:
            return "late"
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

    def _cancel(self, symbol: str, name: str) -> Outcome:
        """What is on the tape can't be taken from it."""
        for place, waiting in enumerate(self._prints):
            if waiting.id == name and waiting.symbol == symbol:
                del self._prints[place]
                return "taken"
        return "not_undone"

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
        if mark:
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
