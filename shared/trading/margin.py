"""What a margin account's positions and orders require, and what that forbids. See docs/margin.md.

Of each symbol the requirement is the highest of three: of what is held, of what would be held if
all working buys filled, and if all working sells did. So what only reduces a position requires
nothing, a sell through zero requires what its short part does, and the exits of a group, of which
one can fill, require it once. What opens is valued at the dearest of the orders that could open it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from shared.models.identifiers import OrderId, Symbol
from shared.models.margin import MarginFigures, MarginTerms
from shared.models.orders import Side, SubmitOrder
from shared.trading.amounts import BASIS_POINTS, ZERO, exactly, plain, rounded, rounded_up, shown
from shared.trading.carry import charges
from shared.trading.changes import WorkingOrder
from shared.trading.commissions import Turnover, expected_fee
from shared.trading.costs import notional_of
from shared.trading.paper_terms import PaperTerms
from shared.trading.settlement import PriceOf, Settlement
from shared.trading.terms import Instrument, Limits, Refused
from shared.trading.working import WorkingOrders, is_exit

_HUNDRED = Decimal(100)


class Commitment(NamedTuple):
    """What is left to fill of an order, and its value and fee at worst."""

    qty: Decimal
    value: Decimal
    fee: Decimal


#: Of one symbol: to buy, and to sell.
Sides = dict[Side, list[Commitment]]


class Margin:
    """Of one set of books."""

    def __init__(
        self,
        orders: WorkingOrders,
        settlement: Settlement,
        turnover: Turnover,
        terms: MarginTerms | None,
        price_of: PriceOf,
    ) -> None:
        self._orders = orders
        self._settlement = settlement
        self._turnover = turnover
        #: None: a cash account.
        self.terms = terms
        self._price_of = price_of

    # --- figures -----------------------------------------------------------------------------

    @exactly
    def equity(self) -> Decimal:
        return self._settlement.worth(self._price_of)

    @exactly
    def maintenance(self) -> Decimal:
        return sum((self.maintenance_of(symbol) for symbol in self._settlement.holdings), ZERO)

    @exactly
    def maintenance_of(self, symbol: Symbol) -> Decimal:
        assert self.terms is not None, "cash accounts have no requirement"
        worth = self._settlement.worth_of(symbol, self._price_of)
        percent = (
            self.terms.maintenance_long_percent
            if worth > 0
            else self.terms.maintenance_short_percent
        )
        return rounded_up(abs(worth) * percent / _HUNDRED)

    @exactly
    def figures(self, at: datetime) -> MarginFigures | None:
        """None of a cash account."""
        if self.terms is None:
            return None
        equity, initial = self.equity(), self._initial()
        required = self._required(at)
        excess = equity - required
        use = plain(round(required * _HUNDRED / equity, 2)) if equity > 0 else None
        return MarginFigures(
            equity=plain(equity),
            initial_requirement=plain(initial),
            maintenance_requirement=plain(self.maintenance()),
            order_requirement=plain(required - initial),
            excess=plain(excess),
            buying_power=plain(rounded(max(excess, ZERO) / self._initial_fraction)),
            use_percent=use,
        )

    @exactly
    def excess(self, at: datetime) -> Decimal:
        """Equity that neither positions nor working orders require."""
        return self.equity() - self._required(at)

    @property
    def _initial_fraction(self) -> Decimal:
        assert self.terms is not None, "cash accounts have no requirement"
        return self.terms.initial_percent / _HUNDRED

    def _initial(self) -> Decimal:
        """Of the positions."""
        return sum(
            (self._required_for(symbol, {}) for symbol in self._settlement.holdings),
            ZERO,
        )

    def _required(
        self,
        at: datetime,
        freed: Sequence[WorkingOrder] = (),
        more: tuple[Symbol, Side, Commitment] | None = None,
    ) -> Decimal:
        """Of positions and orders: those that work but for `freed`, and one `more`."""
        committed = self._committed(at, freed)
        if more is not None:
            symbol, side, commitment = more
            committed.setdefault(symbol, {}).setdefault(side, []).append(commitment)
        symbols = {*self._settlement.holdings, *committed}
        return sum(
            (self._required_for(symbol, committed.get(symbol, {})) for symbol in symbols), ZERO
        )

    def _required_for(self, symbol: Symbol, sides: Sides) -> Decimal:
        held = self._settlement.held(symbol)
        own = abs(self._settlement.worth_of(symbol, self._price_of)) * self._initial_fraction
        highest = own
        for side, commitments in sides.items():
            adds = held == 0 or (held > 0) == (side == "buy")
            opened = _opened(commitments, ZERO if adds else abs(held))
            after = opened.value * self._initial_fraction + opened.fee + (own if adds else ZERO)
            highest = max(highest, after)
        return rounded_up(highest)

    def _committed(self, at: datetime, freed: Sequence[WorkingOrder]) -> dict[Symbol, Sides]:
        """What works, but for `freed`. Exits that follow a position only ever reduce it."""
        gone = {each.order.id for each in freed}
        found: dict[Symbol, Sides] = {}
        exits: dict[OrderId, tuple[Symbol, Side, Commitment]] = {}
        for working in self._orders.by_id.values():
            order = working.order
            if order.status == "held" or order.protects_position or order.id in gone:
                continue
            left = self._commitment(working, at)
            if is_exit(order):
                assert order.group_id is not None, "an exit is in a group"
                known = exits.get(order.group_id)
                if known is not None:
                    left = Commitment(*map(max, left, known[2]))
                exits[order.group_id] = (order.symbol, order.side, left)
            elif left.qty:
                found.setdefault(order.symbol, {}).setdefault(order.side, []).append(left)
        for symbol, side, left in exits.values():
            if left.qty:
                found.setdefault(symbol, {}).setdefault(side, []).append(left)
        return found

    def _commitment(self, working: WorkingOrder, at: datetime) -> Commitment:
        order, left = working.order, working.open_qty
        value = working.reserved * left / order.qty
        if not value:  # a sell from before the account was a margin account
            value = left * self._settlement.price_or_cost(order.symbol, self._price_of)
        return self._committing(order.symbol, working.terms, left, value, at)

    def _committing(
        self, symbol: Symbol, terms: PaperTerms, qty: Decimal, value: Decimal, at: datetime
    ) -> Commitment:
        """`value` is in the symbol's currency."""
        fee = expected_fee(terms.commission, qty, value, self._turnover.at(at)) if qty else ZERO
        in_base = self._settlement.exchange.in_base
        return Commitment(qty, in_base(symbol, value), in_base(symbol, fee))

    def _rate_fault(self, symbol: Symbol, at: datetime) -> Refused | None:
        exchange = self._settlement.exchange
        currency = exchange.foreign.get(symbol)
        return None if currency is None else exchange.fault_of(currency, at)

    @exactly
    def charges(
        self, borrow_fees_bps: Mapping[Symbol, Decimal], days: int
    ) -> list[tuple[Decimal, str]]:
        """What is owed for so many days, with the reasons."""
        assert self.terms is not None, "cash accounts borrow nothing"
        return list(charges(self._settlement, self.terms, borrow_fees_bps, self._price_of, days))

    # --- changing them -----------------------------------------------------------------------

    def fault_of(self, terms: MarginTerms, at: datetime) -> Refused | None:
        """Why the account can't have these terms now."""
        before, self.terms = self.terms, terms
        try:
            equity, required = self.equity(), self._required(at)
        finally:
            self.terms = before
        if required <= equity:
            return None
        return Refused(
            "requirement_not_met",
            "Positions and working orders would require more than the equity.",
            limit=shown(equity),
            observed=shown(required),
        )

    def fault_of_cash_account(self, free_cash: Decimal) -> Refused | None:
        """Why it can't be a cash account now."""
        if free_cash < 0:
            return Refused(
                "margin_in_use",
                "Cash is borrowed, or working orders need more than there is.",
                limit="0",
                observed=shown(free_cash),
            )
        selling = dict(self._orders.selling())
        for symbol in {*self._settlement.holdings, *selling}:
            free = self._settlement.held(symbol) - selling.get(symbol, ZERO)
            if free < 0:
                return Refused(
                    "margin_in_use",
                    f"{symbol} is sold short, or working orders would.",
                    limit="0",
                    observed=shown(free),
                )
        return None

    # --- orders ------------------------------------------------------------------------------

    def reduces(self, order: SubmitOrder, freed: Sequence[WorkingOrder] = ()) -> bool:
        """With all that work on its side it makes the position smaller, and no other."""
        return order.qty <= self._reducible(order, freed)

    def _reducible(self, order: SubmitOrder, freed: Sequence[WorkingOrder]) -> Decimal:
        """What an order on this side can take from the position, net of those that work."""
        held = self._settlement.held(order.symbol)
        if held == 0 or (held > 0) == (order.side == "buy"):
            return ZERO
        return abs(held) - self._orders.committed_qty(order.symbol, order.side, freed)

    @exactly
    def obstacle_to(
        self,
        order: SubmitOrder,
        instrument: Instrument,
        paper: PaperTerms,
        reserve: Decimal,
        at: datetime,
        freed: Sequence[WorkingOrder],
        *,
        must_reduce: bool,
    ) -> Refused | None:
        """Why a margin account can't place the order, when `freed` no longer work."""
        reducible = self._reducible(order, freed)
        if order.qty <= reducible:
            return None
        if must_reduce:
            return Refused(
                "insufficient_position",
                "The order is for more than the position that working orders leave free.",
                limit=shown(max(reducible, ZERO)),
                observed=shown(order.qty),
            )
        if order.side == "sell" and not instrument.shortable:
            return Refused(
                "not_shortable",
                f"{order.symbol} can't be sold short: at most the free position is sold.",
                limit=shown(max(reducible, ZERO)),
                observed=shown(order.qty),
            )
        fault = self._rate_fault(order.symbol, at)
        if fault is not None:
            return fault
        coming = self._committing(order.symbol, paper, order.qty, reserve, at)
        required = self._required(at, freed, (order.symbol, order.side, coming))
        equity = self.equity()
        if required <= equity:
            return None
        return Refused(
            "insufficient_buying_power",
            "With the order, positions and working orders would require more than the equity.",
            limit=shown(equity),
            observed=shown(required),
        )

    def obstacle_to_fill(
        self, working: WorkingOrder, qty: Decimal, price: Decimal, fee: Decimal, at: datetime
    ) -> Refused | None:
        """Why a part can't fill at `price`: it opens, and equity would be below the initial
        requirement of positions, the symbol can't be sold short, or its currency has no rate. What
        reduces always fills, at a rate of any age."""
        symbol, held = working.order.symbol, self._settlement.held(working.order.symbol)
        after = held + (qty if working.order.side == "buy" else -qty)
        if abs(after) <= abs(held) and after * held >= 0:
            return None
        if after < 0 and not working.shortable:
            return Refused(
                "not_shortable",
                f"{symbol} can't be sold short: the position is smaller than the fill.",
                limit=shown(max(held, ZERO)),
                observed=shown(qty),
            )

        fault = self._rate_fault(symbol, at)
        if fault is not None:
            return fault

        def price_of(each: Symbol) -> Decimal | None:
            return price if each == symbol else self._price_of(each)

        others = sum(
            (
                abs(self._settlement.worth_of(each, price_of))
                for each in self._settlement.holdings
                if each != symbol
            ),
            ZERO,
        )
        in_base = self._settlement.exchange.in_base
        own = in_base(symbol, abs(after) * price)
        required = rounded_up((others + own) * self._initial_fraction)
        equity = self._settlement.worth(price_of) - in_base(symbol, fee)
        if required <= equity:
            return None
        return Refused(
            "insufficient_buying_power",
            "After the fill, equity would have been below the initial requirement.",
            limit=shown(equity),
            observed=shown(required),
        )


def _opened(commitments: Sequence[Commitment], reducing: Decimal) -> Commitment:
    """What they open once `reducing` of them has closed what is held: the dearest of them."""
    left = max(sum((each.qty for each in commitments), ZERO) - reducing, ZERO)
    qty, value, fee = left, ZERO, ZERO
    for each in sorted(commitments, key=lambda each: each.value / each.qty, reverse=True):
        part = min(each.qty, left) / each.qty
        value += each.value * part
        fee += each.fee * part
        left -= min(each.qty, left)
        if not left:
            break
    return Commitment(qty, value, fee)


def value_at_worst(
    order: SubmitOrder,
    terms: PaperTerms,
    tick: Decimal,
    last_price: Decimal | None,
    limits: Limits,
) -> Decimal:
    """What a sell of a margin account notes: the value of the short position that it may open.

    Above its limit, or where it fills at the market, at a price that only the market knows: the
    last one plus the buffer. Zero without any price.
    """
    asked = order.limit_price or order.stop_price
    price = max(asked or ZERO, last_price or ZERO)
    if order.limit_price is None or price > order.limit_price:
        buffered = price * (1 + limits.reserve_buffer_bps / BASIS_POINTS)
        price = terms.slipped(buffered, "buy", tick, order.qty) if price else ZERO
    return rounded_up(notional_of(order.qty, price, "buy"))
