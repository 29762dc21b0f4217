"""Splits and cash dividends: what they do to positions, lots and cash.

Shares are fractions until they are counted in whole units, so no ratio is rounded on its way. What
a split leaves of a unit is paid for in cash. Working orders are `order_adjustments`' matter.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

import msgspec

from shared.models.identifiers import Symbol
from shared.trading.amounts import ZERO, plain, to_cents
from shared.trading.lots import Lot
from shared.trading.positions import Holding
from shared.trading.strategy_positions import Owner

_SCALE = 10**12


class Split(msgspec.Struct, frozen=True, tag="split"):
    """So many new shares for so many old ones; fewer in a reverse split."""

    new: int
    old: int

    @property
    def ratio(self) -> Fraction:
        return Fraction(self.new, self.old)


class Dividend(msgspec.Struct, frozen=True, tag="dividend"):
    #: In cash, a share.
    amount: Decimal


class CorporateAction(msgspec.Struct, frozen=True):
    id: UUID
    symbol: Symbol
    terms: Split | Dividend
    #: Market time at which the session of the ex-date starts.
    effective_at: datetime
    #: Of the instrument: what is less than a lot is paid for in cash.
    tick: Decimal
    lot: Decimal
    currency: str | None = None
    #: How often it was to be tried again where it had failed.
    retries: int = 0
    #: It comes to no more books.
    cancelled: bool = False
    #: It was cancelled before it had come to any.
    void: bool = False

    @property
    def entry_id(self) -> str:
        """Of its ledger entry. It has a blank, which no name that a client gives has."""
        return f"corporate {self.id}"


class Paid(NamedTuple):
    """A position after a split, and the cash for what was less than a unit."""

    holding: Holding
    flow: Decimal


def dividend_on(qty: Decimal, dividend: Dividend) -> Decimal:
    """To the cent; below zero for a short position, which owes it."""
    return to_cents(qty * dividend.amount)


def whole_units(shares: Fraction, unit: Decimal) -> Decimal:
    """Towards zero."""
    return plain(int(shares / Fraction(unit)) * unit)


def price_after(price: Decimal, split: Split) -> Decimal:
    return _money(Fraction(price) / split.ratio)


def split_holding(
    holding: Holding, qty: Decimal, split: Split, price: Decimal, at: datetime
) -> Paid:
    """The position as `qty` shares. What that is less, or more, is sold or bought at `price`."""
    shares = Fraction(holding.qty) * split.ratio
    given_up = shares - Fraction(qty)
    flow = _money(given_up * Fraction(price))
    sold = given_up * shares > 0
    removed = _money(Fraction(holding.cost) * given_up / shares) if sold else ZERO
    after = msgspec.structs.replace(
        holding,
        qty=qty,
        cost=holding.cost - (removed if sold else flow),
        realized_pnl=holding.realized_pnl + (flow - removed if sold else ZERO),
        updated_at=at,
    )
    return Paid(after, flow)


def split_owners(
    owners: Mapping[Owner, Holding], net: Paid, split: Split, unit: Decimal, price: Decimal
) -> dict[Owner, Holding]:
    """Whole units for each, which add up to the net position; whose rest is larger gets one more.
    What they are paid adds up to what the net position is."""
    assert net.holding.updated_at is not None, "the split has a time"
    shares = {owner: Fraction(each.qty) * split.ratio for owner, each in owners.items()}
    units = {owner: int(each // Fraction(unit)) for owner, each in shares.items()}
    missing = int(net.holding.qty / unit) - sum(units.values())
    in_turn = sorted(
        owners, key=lambda owner: (units[owner] * Fraction(unit) - shares[owner], _name(owner))
    )
    for owner in in_turn[:missing]:
        units[owner] += 1
    paid = {
        owner: split_holding(each, plain(units[owner] * unit), split, price, net.holding.updated_at)
        for owner, each in owners.items()
    }
    after = {owner: each.holding for owner, each in paid.items()}
    rest = net.flow - sum((each.flow for each in paid.values()), ZERO)
    if rest:
        first = in_turn[0]
        more = after[first].realized_pnl + rest
        after[first] = msgspec.structs.replace(after[first], realized_pnl=more)
    return after


def _name(owner: Owner) -> str:
    return "manual" if owner is None else str(owner)


class SplitLots(NamedTuple):
    #: Those that changed, also the ones of which nothing is left.
    lots: list[Lot]
    #: Cost of what was paid for in cash.
    cost_removed: Decimal


def split_lots(lots: Iterable[Lot], split: Split, unit: Decimal) -> SplitLots:
    """Oldest first, in whole units that add up to the position's.

    What is less than a unit goes over to the next lot, and of the newest is given up. The cost of a
    lot of which nothing is left goes along.
    """
    shares, units, carried = Fraction(0), ZERO, ZERO
    after: list[Lot] = []
    last_open: int | None = None
    for lot in lots:
        shares += Fraction(lot.qty) * split.ratio
        upto = whole_units(shares, unit)
        qty, cost = upto - units, lot.cost + carried
        units, carried = upto, ZERO if qty else cost
        if qty:
            last_open = len(after)
        after.append(
            msgspec.structs.replace(
                lot,
                qty=qty,
                cost=cost if qty else ZERO,
                # What was closed of it stays as it was.
                opened_qty=lot.opened_qty - lot.qty + qty,
                price=price_after(lot.price, split),
            )
        )
    if last_open is None:
        return SplitLots(after, carried)
    newest = after[last_open]
    total = sum((each.cost for each in after), ZERO) + carried
    removed = _money(Fraction(total) * (shares - Fraction(units)) / shares)
    after[last_open] = msgspec.structs.replace(newest, cost=newest.cost + carried - removed)
    return SplitLots(after, removed)


def _money(amount: Fraction) -> Decimal:
    """At most 12 decimals, halves to the even."""
    return plain(Decimal(round(amount * _SCALE)).scaleb(-12))
