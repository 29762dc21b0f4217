"""Carries out splits and dividends when market time comes to their session. No I/O.

What it does is part of the desk's batch, and so is the row that says that it was done: each set of
books sees an action once, whatever dies when.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from order_processor.corporate_actions.repository import Known
from order_processor.shards.clock import nanoseconds
from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import Symbol
from shared.trading.books import Books
from shared.trading.changes import AnyChange
from shared.trading.corporate_actions import CorporateAction, Split

_NEVER_NS = 1 << 63

Record = Callable[[BooksKey, Books, AnyChange], None]
#: Account, mode, symbol, and why.
Pause = Callable[[BooksKey, Symbol, str], None]


class Steward:
    def __init__(
        self, books: Mapping[BooksKey, Books], market: Market, record: Record, pause: Pause
    ) -> None:
        self._books = books
        self._market = market
        self._record = record
        self._pause = pause
        self._known = Known()
        self._actions: list[CorporateAction] = []
        self._seen: dict[BooksKey, set[UUID]] = {}
        #: When the next action is due that was not looked at in this run.
        self._next_ns = _NEVER_NS

    def take(self, known: Known) -> None:
        if known is not self._known:
            self._known = known
            # A dividend before a split of the same day: it is paid on the old shares.
            self._actions = sorted(known.actions, key=_turn)
            self.look_again()
            if self._market.time_ns:  # else the clock is looked at
                self.come_to(self._market.time_ns)

    def take_up(self, key: BooksKey, seen: set[UUID]) -> None:
        self._seen[key] = seen

    def look_again(self) -> None:
        """Another run begins, or there are other actions than before."""
        self._next_ns = 0 if self._actions else _NEVER_NS

    def come_to(self, at_ns: int) -> None:
        """Market time has come to `at_ns`, and nothing that happens then was applied yet."""
        if at_ns < self._next_ns:
            return
        self._next_ns = _NEVER_NS
        for action in self._actions:
            effective_ns = nanoseconds(action.effective_at)
            if effective_ns > at_ns:
                self._next_ns = effective_ns
                break
            self._carry_out(action, effective_ns)

    def wait_s(self) -> float | None:
        """Until the clock brings an action, where it is the time; None for never."""
        if self._market.time_ns is not None or self._next_ns == _NEVER_NS:
            return None
        return max(0.0, (self._next_ns - nanoseconds(self._market.now())) / 1e9)

    def _carry_out(self, action: CorporateAction, effective_ns: int) -> None:
        last_price = self._market.price_before(action.symbol, effective_ns)
        for key, books in sorted(self._books.items(), key=lambda each: each[0]):
            seen = self._seen.setdefault(key, set())
            if books.mode == "live" or action.id in seen:
                continue
            if not books.corporate.concerned_by(action):
                continue
            seen.add(action.id)
            for change in books.corporate.carry_out(action, last_price):
                self._record(key, books, change)
            if isinstance(action.terms, Split):
                self._pause(key, action.symbol, _why(action, action.terms))
        if isinstance(action.terms, Split):
            self._market.split_price(action.symbol, action.terms, effective_ns)


def _turn(action: CorporateAction) -> tuple[datetime, bool]:
    return action.effective_at, isinstance(action.terms, Split)


def _why(action: CorporateAction, split: Split) -> str:
    return (
        f"{action.symbol} was split {split.new} for {split.old}: strategies count in old shares. "
        "Stop it and deploy it anew."
    )
