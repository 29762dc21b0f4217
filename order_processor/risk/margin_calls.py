"""Margin calls of one shard: made, met, and carried out by closing positions. No I/O.

As everything the risk ladder does, a step is part of the desk's batch: the call's state, cancelled
orders, closing orders, paused strategies and the event become durable together, or not at all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import msgspec

from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import Symbol
from shared.models.margin import MarginCall
from shared.models.risk import RiskEventKind, RiskState
from shared.trading import margin_calls
from shared.trading.books import Books
from shared.trading.changes import Change
from shared.trading.margin_calls import MarginRules
from shared.trading.terms import Instrument

Record = Callable[[BooksKey, Books, Change], None]
SetState = Callable[[BooksKey, Books, RiskState], None]
#: Books, event, and how many orders were cancelled, are closing, and could not be made.
Tell = Callable[[BooksKey, Books, RiskEventKind, int, int, tuple[str, ...]], None]
Pause = Callable[[BooksKey, str], None]


class MarginCalls:
    def __init__(
        self,
        rules: MarginRules,
        market: Market,
        instruments: Mapping[Symbol, tuple[Instrument, float]],
        tape_id: Callable[[], str],
        record: Record,
        set_state: SetState,
        tell: Tell,
        pause: Pause,
    ) -> None:
        self._rules = rules
        self._market = market
        self._instruments = instruments
        self._tape_id = tape_id
        self._record = record
        self._set_state = set_state
        self._tell = tell
        self._pause = pause
        #: Books whose positions are to be closed from then on, when nothing happens before.
        self._due: dict[BooksKey, datetime] = {}

    def watch(self, key: BooksKey, books: Books) -> None:
        call = books.risk.state.margin_call
        if call is None:
            self._due.pop(key, None)
        else:
            self._due[key] = call.due_at

    def take_due(self) -> set[BooksKey]:
        """Books whose time has come; each is told once, until its call changes."""
        if not self._due:
            return set()
        now = self._market.now()
        found = {key for key, due_at in self._due.items() if due_at <= now}
        for key in found:
            del self._due[key]
        return found

    def wait_s(self) -> float | None:
        """Until the wall clock makes a call due; None where the tape is the time."""
        if not self._due or self._market.time_ns is not None:
            return None
        now = self._market.now()
        return max(0.0, (min(self._due.values()) - now).total_seconds())

    # --- looking and acting ------------------------------------------------------------------

    def check(self, key: BooksKey, books: Books) -> None:
        """Prices, positions, cash or the time have moved."""
        now = self._market.now()
        seen = margin_calls.look(books, self._rules, partial(self._market.price_for, books), now)
        if seen is None:
            return
        if seen.call != books.risk.state.margin_call:
            state = msgspec.structs.replace(books.risk.state, margin_call=seen.call)
            self._set_state(key, books, state)
        if seen.event is not None:
            self._tell(key, books, seen.event, 0, 0, ())
        if seen.due and seen.call is not None:
            self._liquidate(key, books, seen.call)

    def _liquidate(self, key: BooksKey, books: Books, call: MarginCall) -> None:
        instruments = {
            symbol: self._instruments[symbol][0]
            for symbol in books.holdings
            if symbol in self._instruments
        }
        done = margin_calls.close_for(
            books,
            call,
            self._rules,
            instruments,
            partial(self._market.price_for, books),
            self._market.now(),
            self._tape_id(),
        )
        if done is None:
            return
        for change in (*done.cancelled, *done.closing):
            self._record(key, books, change)
        if not done.closing:
            return
        state = msgspec.structs.replace(
            books.risk.state, flattened=done.number, margin_call=done.call
        )
        self._set_state(key, books, state)
        self._due.pop(key, None)
        self._pause(key, "A margin call was not met: positions are being closed.")
        self._tell(key, books, "margin_liquidation", len(done.cancelled), done.orders, done.failed)
