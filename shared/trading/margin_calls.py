"""Margin calls of one set of books: when they are made, met and due, and a round of closing. Pure.

Whoever owns the books looks after each step of the market, stores what is found, and records the
changes. See docs/margin.md.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from shared.models.identifiers import AccountId, Symbol
from shared.models.margin import MarginCall
from shared.models.orders import ClosePositions
from shared.trading.amounts import shown
from shared.trading.books import Books
from shared.trading.changes import OrderChanged
from shared.trading.liquidation import closings
from shared.trading.settlement import PriceOf
from shared.trading.terms import Instrument, Refused

_ACTOR = "risk"


class MarginRules(msgspec.Struct, frozen=True):
    #: Market time from the call to the first closing order.
    grace_s: float = 300.0
    #: What is left is closed until equity is so much above the requirement.
    buffer_percent: Decimal = Decimal(5)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_s)


class Look(NamedTuple):
    #: How it stands; None when there is none, or no longer.
    call: MarginCall | None
    event: Literal["margin_called", "margin_call_met"] | None
    #: It is time to close positions.
    due: bool = False


class Round(NamedTuple):
    """Of closing orders."""

    call: MarginCall
    #: Its number among all that the account's positions were closed in.
    number: int
    cancelled: list[OrderChanged]
    closing: list[OrderChanged]
    #: What could not be closed now.
    failed: tuple[Symbol, ...]

    @property
    def orders(self) -> int:
        return sum(each.order.closes_position for each in self.closing)


def look(books: Books, rules: MarginRules, price_of: PriceOf, now: datetime) -> Look | None:
    """Prices, positions, cash or the time have moved: what that means; None when nothing."""
    if books.margin.terms is None:
        return None
    call = books.risk.state.margin_call
    equity, required = books.margin.equity(), books.margin.maintenance()
    event: Literal["margin_called"] | None = None
    if call is None:
        if equity >= required:
            return None
        call, event = _called(rules, equity, required, now), "margin_called"
    elif _liquidating(books):
        return None  # what has been ordered may suffice
    elif equity >= required:
        # At its cost a position says nothing: a new run has not come to its price yet.
        known = all(price_of(each) is not None for each, held in books.holdings.items() if held.qty)
        return Look(None, "margin_call_met") if known else None
    elif now < call.at:
        # A run of an earlier time has begun: the grace counts in its time.
        call = msgspec.structs.replace(call, at=now, due_at=now + rules.grace)
    # At once, and not when it is looked at again: the same run does the same at the same place.
    return Look(call, event, equity <= 0 or now >= call.due_at)


def close_for(
    books: Books,
    call: MarginCall,
    rules: MarginRules,
    instruments: Mapping[Symbol, Instrument],
    price_of: PriceOf,
    now: datetime,
    tape_id: str,
) -> Round | None:
    """One round: cancel what works, then close as much as it takes at last prices. None when
    nothing can be closed now."""
    held = [symbol for symbol, holding in books.holdings.items() if holding.qty]
    lots = {
        symbol: each.lot_size
        for symbol in held
        if (each := instruments.get(symbol)) is not None
        and each.tradable
        and price_of(symbol) is not None
    }
    if not lots:
        return None
    cancelled = books.cancel_all(None, now)
    number = books.risk.state.flattened + 1
    closing: list[OrderChanged] = []
    failed = [symbol for symbol in held if symbol not in lots]
    for symbol, qty in closings(books.margin, books.holdings, lots, rules.buffer_percent):
        command = _closing(books, symbol, qty, number)
        closed = books.close(symbol, command, instruments[symbol], price_of(symbol), now, tape_id)
        if isinstance(closed, Refused) or closed[-1].order.status == "rejected":
            failed.append(symbol)  # nothing to keep: it is tried again when prices have moved
        else:
            closing += closed
    made = msgspec.structs.replace(call, liquidations=call.liquidations + 1)
    return Round(made, number, cancelled, closing, tuple(sorted(failed)))


def _called(rules: MarginRules, equity: Decimal, required: Decimal, now: datetime) -> MarginCall:
    return MarginCall(now, now + rules.grace, shown(equity), shown(required))


def _closing(books: Books, symbol: Symbol, qty: Decimal, number: int) -> ClosePositions:
    whole = qty == abs(books.holdings[symbol].qty)
    return ClosePositions(
        request_id="",
        reply_to="",
        account_id=AccountId(books.account.id),
        mode=books.mode,
        # No client can choose such a name: theirs have no spaces.
        client_order_id=f"margin close {number}.{symbol}",
        submitted_by=_ACTOR,
        symbol=symbol,
        qty=None if whole else qty,
    )


def _liquidating(books: Books) -> bool:
    return any(
        each.order.closes_position and each.order.submitted_by == _ACTOR
        for each in books.working.values()
    )
