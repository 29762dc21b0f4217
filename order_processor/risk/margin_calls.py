"""Margin calls of one shard: made, met, and carried out by closing positions. No I/O.

As everything the risk ladder does, a step is part of the desk's batch: the call's state, cancelled
orders, closing orders, paused strategies and the event become durable together, or not at all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import AccountId, Symbol
from shared.models.margin import MarginCall
from shared.models.orders import ClosePositions
from shared.models.risk import RiskEventKind, RiskState
from shared.trading.amounts import shown
from shared.trading.books import Books
from shared.trading.changes import Change
from shared.trading.liquidation import closings
from shared.trading.terms import Instrument, Refused

_ACTOR = "risk"

Record = Callable[[BooksKey, Books, Change], None]
SetState = Callable[[BooksKey, Books, RiskState], None]
#: Books, event, and how many orders were cancelled, are closing, and could not be made.
Tell = Callable[[BooksKey, Books, RiskEventKind, int, int, tuple[str, ...]], None]
Pause = Callable[[BooksKey, str], None]


class MarginRules(msgspec.Struct, frozen=True):
    #: Market time from the call to the first closing order.
    grace_s: float = 300.0
    #: What is left is closed until equity is so much above the requirement.
    buffer_percent: Decimal = Decimal(5)


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

    # --- looking -----------------------------------------------------------------------------

    def check(self, key: BooksKey, books: Books) -> None:
        """Prices, positions, cash or the time have moved."""
        if books.margin.terms is None:
            return
        call, now = books.risk.state.margin_call, self._market.now()
        equity, required = books.margin.equity(), books.margin.maintenance()
        if call is None:
            if equity >= required:
                return
            call = self._make(key, books, equity, required, now)
        elif _liquidating(books):
            return  # what has been ordered may suffice
        elif equity >= required:
            # At its cost a position says nothing: a new run has not come to its price yet.
            if all(self._priced(each) for each, held in books.holdings.items() if held.qty):
                self._set(key, books, None)
                self._tell(key, books, "margin_call_met", 0, 0, ())
            return
        elif now < call.at:
            # A run of an earlier time has begun: the grace counts in its time.
            call = msgspec.structs.replace(call, at=now, due_at=now + self._grace)
            self._set(key, books, call)
        # At once, and not when it is looked at again: the same run does the same at the same place.
        if equity <= 0 or now >= call.due_at:
            self._liquidate(key, books, call)

    @property
    def _grace(self) -> timedelta:
        return timedelta(seconds=self._rules.grace_s)

    def _priced(self, symbol: Symbol) -> bool:
        return self._market.price_of(symbol) is not None

    def _set(self, key: BooksKey, books: Books, call: MarginCall | None) -> None:
        state = msgspec.structs.replace(books.risk.state, margin_call=call)
        self._set_state(key, books, state)

    # --- acting ------------------------------------------------------------------------------

    def _make(
        self, key: BooksKey, books: Books, equity: Decimal, required: Decimal, now: datetime
    ) -> MarginCall:
        call = MarginCall(now, now + self._grace, shown(equity), shown(required))
        self._set(key, books, call)
        self._tell(key, books, "margin_called", 0, 0, ())
        return call

    def _liquidate(self, key: BooksKey, books: Books, call: MarginCall) -> None:
        """One round: cancel what works, then close as much as it takes at last prices."""
        held = [symbol for symbol, holding in books.holdings.items() if holding.qty]
        lots = {each: self._instruments[each][0].lot_size for each in held if self._closable(each)}
        if not lots:
            return
        at = self._market.now()
        cancelled = books.cancel_all(None, at)
        for change in cancelled:
            self._record(key, books, change)
        number = books.risk.state.flattened + 1
        chosen = closings(books.margin, books.holdings, lots, self._rules.buffer_percent)
        closing = 0
        failed = [symbol for symbol in held if symbol not in lots]
        for symbol, qty in chosen:
            if self._close(key, books, symbol, qty, number, at):
                closing += 1
            else:
                failed.append(symbol)
        if not closing:
            return
        state = msgspec.structs.replace(
            books.risk.state,
            flattened=number,
            margin_call=msgspec.structs.replace(call, liquidations=call.liquidations + 1),
        )
        self._set_state(key, books, state)
        self._due.pop(key, None)
        self._pause(key, "A margin call was not met: positions are being closed.")
        self._tell(key, books, "margin_liquidation", len(cancelled), closing, tuple(sorted(failed)))

    def _closable(self, symbol: Symbol) -> bool:
        instrument, _ = self._instruments.get(symbol, (None, 0.0))
        return instrument is not None and instrument.tradable and self._priced(symbol)

    def _close(
        self,
        key: BooksKey,
        books: Books,
        symbol: Symbol,
        qty: Decimal,
        number: int,
        at: datetime,
    ) -> bool:
        whole = qty == abs(books.holdings[symbol].qty)
        command = ClosePositions(
            request_id="",
            reply_to="",
            account_id=AccountId(key[0]),
            mode=key[1],
            # No client can choose such a name: theirs have no spaces.
            client_order_id=f"margin close {number}.{symbol}",
            submitted_by=_ACTOR,
            symbol=symbol,
            qty=None if whole else qty,
        )
        instrument, price = self._instruments[symbol][0], self._market.price_of(symbol)
        closed = books.close(symbol, command, instrument, price, at, self._tape_id())
        if isinstance(closed, Refused) or closed[-1].order.status == "rejected":
            return False  # nothing to keep: it is tried again when prices have moved
        for change in closed:
            self._record(key, books, change)
        return True


def _liquidating(books: Books) -> bool:
    return any(
        each.order.closes_position and each.order.submitted_by == _ACTOR
        for each in books.working.values()
    )
