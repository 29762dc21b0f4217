"""Stands between a command and the books: latches first, then limits.

What only lets positions shrink is held up by nothing but the rate and the price collar: whoever is
in trouble must be able to get out. While a kill switch is engaged, only closing positions passes.

 0. corporate_action_failed  the position is in shares of before a split: nothing passes
 1. kill_switch_platform, kill_switch_account   no new orders, but those that close positions
 2. loss_limit_latched     no order that opens or adds to a position; of a deployment's own loss
                           limit, none of its orders
 3. margin_call            likewise, while equity is below the maintenance requirement
 4. risk_price_collar      a limit too far beyond the last price
 5. risk_session           it may fill outside of regular hours
 6. risk_symbol            the symbol is blocked, or not among those allowed
 7. risk_order_value       the order's value
 8. risk_open_orders       orders that work, this one included
 9. risk_position_value    what is held and ordered in the symbol
10. risk_gross_exposure    what is held and ordered in all

They reject an order; `risk_order_rate` refuses the command, before these: nothing is stored, and
sending it again a moment later is fine.
"""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from shared.models.identifiers import Symbol
from shared.models.margin import MarginCall
from shared.models.orders import SubmitOrder
from shared.models.risk import Latch, RiskState
from shared.trading.amounts import ZERO, exactly, shown
from shared.trading.changes import WorkingOrder
from shared.trading.positions import Holding
from shared.trading.risk import NO_LIMITS, Bound, Bounds, CountBound, Halt, Ladder
from shared.trading.settlement import PriceOf, Settlement
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_PERCENT = Decimal(100)


class RiskGuard:
    """Of one set of books. It knows what may be done, and does nothing itself."""

    def __init__(
        self, orders: WorkingOrders, settlement: Settlement, state: RiskState, price_of: PriceOf
    ) -> None:
        self._orders = orders
        self._settlement = settlement
        self._price_of = price_of
        #: Replaced, never changed; stored by the owner of the books.
        self.state = state
        #: These two are the owner's to set when they change.
        self.ladder: Ladder = NO_LIMITS
        self.halt: Halt | None = None
        #: Symbols whose split could not be carried out here; the owner's to set as well.
        self.stopped: frozenset[Symbol] = frozenset()
        #: Orders of the last minute: all, and those of deployments that are limited.
        self._rates: dict[UUID | None, OrderRate] = {}

    # --- orders ------------------------------------------------------------------------------

    def rate_fault(self, order: SubmitOrder, at: datetime) -> Refused | None:
        """One more order comes. It counts unless it is refused."""
        ladder = self.ladder
        if ladder is NO_LIMITS:
            return None
        scopes: list[tuple[UUID | None, Bounds]] = [(None, ladder.account)]
        own = ladder.deployments.get(order.deployment_id) if order.deployment_id else None
        if own is not None:
            scopes.append((order.deployment_id, own))
        limited = [
            (self._rates.setdefault(scope, OrderRate()), bounds)
            for scope, bounds in scopes
            if bounds.per_second is not None or bounds.per_minute is not None
        ]
        for rate, bounds in limited:
            fault = _rate_fault(rate, bounds, at)
            if fault is not None:
                return fault
        for rate, _ in limited:
            rate.note(at)
        return None

    def obstacle_to(
        self,
        order: SubmitOrder,
        last_price: Decimal | None,
        freed: Sequence[WorkingOrder] = (),
        *,
        closes: bool = False,
        extended: bool = False,
    ) -> Refused | None:
        """Why the order can't be, when `freed` no longer work. `closes`: it was made to close the
        position; `extended`: it may fill outside of regular hours. A price that isn't known is left
        to the checks of the books."""
        ladder, state = self.ladder, self.state
        if self.stopped and order.symbol in self.stopped:
            return stopped(order.symbol)
        if self.halt is not None and not closes:
            return _halted("kill_switch_platform", "platform", self.halt.reason)
        if state.kill is not None and not closes:
            return _halted("kill_switch_account", "account", state.kill.reason)
        latch = state.loss or self._latch_of(order.deployment_id)
        if latch is None and state.margin_call is None and ladder is NO_LIMITS:
            return None
        opens = not (closes or self._reduces(order, freed))
        if opens and latch is not None:
            return _loss_latched(latch)
        if opens and state.margin_call is not None:
            return _margin_called(state.margin_call)
        own = ladder.deployments.get(order.deployment_id) if order.deployment_id else None
        for bounds, deployment_id in (
            (ladder.account, None),
            *(((own, order.deployment_id),) if own is not None else ()),
        ):
            obstacle = None if closes else _collar_obstacle(bounds, order, last_price)
            if obstacle is None and opens and extended:
                obstacle = _session_obstacle(bounds)
            if obstacle is None and opens:
                obstacle = self._opening_obstacle(bounds, deployment_id, order, last_price, freed)
            if obstacle is not None:
                return obstacle
        return None

    def _latch_of(self, deployment_id: UUID | None) -> Latch | None:
        own = self.state.deployments.get(deployment_id) if deployment_id is not None else None
        return None if own is None else own.latch

    def _reduces(self, order: SubmitOrder, freed: Sequence[WorkingOrder]) -> bool:
        """With all that work on its side it makes the position smaller, and no other."""
        held = self._settlement.held(order.symbol)
        if held == 0 or (held > 0) == (order.side == "buy"):
            return False
        working = self._orders.committed_qty(order.symbol, order.side, freed)
        return order.qty + working <= abs(held)

    def _opening_obstacle(
        self,
        bounds: Bounds,
        deployment_id: UUID | None,
        order: SubmitOrder,
        last_price: Decimal | None,
        freed: Sequence[WorkingOrder],
    ) -> Refused | None:
        obstacle = _symbol_obstacle(bounds, order.symbol)
        price = order.limit_price or order.stop_price or last_price
        if obstacle is not None or price is None:
            return obstacle
        exchange = self._settlement.exchange
        value = exchange.in_base(order.symbol, order.qty * price)
        if bounds.order_value is not None and value > bounds.order_value.limit:
            return _too_much("risk_order_value", "order value", bounds.order_value, value)
        if bounds.open_orders is not None:
            count = self._open_orders(deployment_id) - len(freed) + 1
            if count > bounds.open_orders.limit:
                limit = bounds.open_orders
                return _denied(
                    "risk_open_orders", "open orders", limit, str(limit.limit), str(count)
                )
        if bounds.position_value is not None:
            qty = abs(self._settlement.held(order.symbol))
            qty += self._orders.committed_qty(order.symbol, order.side, freed)
            total = (qty + order.qty) * max(price, last_price or ZERO)
            total = exchange.in_base(order.symbol, total)
            if total > bounds.position_value.limit:
                return _too_much(
                    "risk_position_value", "position value", bounds.position_value, total
                )
        if bounds.gross_exposure is not None:
            gone = exchange.in_base(order.symbol, self._orders.freed_without(freed)[0])
            total = self.gross_exposure() + value - gone
            if total > bounds.gross_exposure.limit:
                return _too_much(
                    "risk_gross_exposure", "gross exposure", bounds.gross_exposure, total
                )
        return None

    def _open_orders(self, deployment_id: UUID | None) -> int:
        if deployment_id is None:
            return len(self._orders.by_id)
        return sum(
            each.order.deployment_id == deployment_id for each in self._orders.by_id.values()
        )

    @property
    def looks_at_hours(self) -> bool:
        """Whether a limit asks when orders can fill."""
        ladder = self.ladder
        if ladder is NO_LIMITS:
            return False
        every = (ladder.account, *ladder.deployments.values())
        return any(bounds.regular_hours is not None for bounds in every)

    # --- figures -----------------------------------------------------------------------------

    @exactly
    def gross_exposure(self) -> Decimal:
        """Positions without their signs at last prices (at cost without one), what working
        buys reserve, and what working sells would sell short."""
        exchange, kept = self._settlement.exchange, self._orders.reserved_foreign
        total = self._orders.reserved_cash + sum((abs(worth) for worth in self._worths()), ZERO)
        total += sum((exchange.valued(each, kept[each]) for each in kept), ZERO)
        for symbol, qty in self._orders.selling():
            short = qty - max(self._settlement.held(symbol), ZERO)
            if short > 0:
                price = self._settlement.price_or_cost(symbol, self._price_of)
                total += exchange.in_base(symbol, short * price)
        return total

    def largest_position(self) -> Decimal:
        """The highest value that the position limit compares, without what works."""
        return max((abs(worth) for worth in self._worths()), default=ZERO)

    def orders_within(self, at: datetime) -> tuple[int, int]:
        """Orders of the last second and minute, where their rate is limited."""
        rate = self._rates.get(None)
        return (0, 0) if rate is None else (rate.within(_SECOND, at), rate.within(_MINUTE, at))

    @exactly
    def net_exposure(self) -> Decimal:
        """Positions with their signs."""
        return sum(self._worths(), ZERO)

    def _worths(self) -> Iterator[Decimal]:
        for symbol, holding in self._settlement.holdings.items():
            if holding.qty:
                yield self._settlement.worth_of(symbol, self._price_of)

    @exactly
    def profit(self) -> Decimal:
        """Realised and unrealised, net of fees, since the books were opened; what rates of exchange
        have made of foreign cash and positions is part of it."""
        if self._settlement.has_foreign:
            return self._settlement.worth(self._price_of) - self._settlement.ledger.entered
        return sum((self._profit_of(each) for each in self._settlement.holdings.values()), ZERO)

    @exactly
    def profits_of(self, deployments: Container[UUID]) -> dict[UUID, Decimal]:
        """The same, of the own positions of those that there are here."""
        profits: dict[UUID, Decimal] = {}
        for owner, holding in self._settlement.strategies.items():
            if owner is not None and owner in deployments:
                profits[owner] = profits.get(owner, ZERO) + self._profit_of(holding)
        return profits

    def _profit_of(self, holding: Holding) -> Decimal:
        total = holding.realized_pnl - holding.fees
        price = self._price_of(holding.symbol) if holding.qty else None
        if price is not None:
            total += holding.value(price) - holding.cost
        return self._settlement.exchange.in_base(holding.symbol, total)


class OrderRate:
    """When orders came, within the last minute."""

    def __init__(self) -> None:
        self._times: deque[datetime] = deque()

    def within(self, period: timedelta, at: datetime) -> int:
        times = self._times
        if times and times[-1] > at:
            # Market time begins anew with a run: what was before says nothing about it.
            times.clear()
        while times and at - times[0] >= _MINUTE:
            times.popleft()
        count = 0
        for time in reversed(times):
            if at - time >= period:
                break
            count += 1
        return count

    def note(self, at: datetime) -> None:
        self._times.append(at)


def _rate_fault(rate: OrderRate, bounds: Bounds, at: datetime) -> Refused | None:
    for bound, period, name in (
        (bounds.per_second, _SECOND, "second"),
        (bounds.per_minute, _MINUTE, "minute"),
    ):
        coming = 0 if bound is None else rate.within(period, at) + 1
        if bound is not None and coming > bound.limit:
            return _denied(
                "risk_order_rate", f"orders a {name}", bound, str(bound.limit), str(coming)
            )
    return None


def _symbol_obstacle(bounds: Bounds, symbol: Symbol) -> Refused | None:
    for rule in bounds.symbols:
        if symbol in rule.blocked or (rule.allowed is not None and symbol not in rule.allowed):
            return Refused(
                "risk_symbol",
                f"The {rule.level} does not allow orders in {symbol}.",
                observed=symbol,
                level=rule.level,
            )
    return None


def _session_obstacle(bounds: Bounds) -> Refused | None:
    level = bounds.regular_hours
    if level is None:
        return None
    return Refused(
        "risk_session",
        f"The {level} allows regular hours only: send the order without extended hours.",
        limit="regular",
        observed="extended",
        level=level,
    )


def _collar_obstacle(
    bounds: Bounds, order: SubmitOrder, last_price: Decimal | None
) -> Refused | None:
    """A buy far above, or a sell far below the last price; for a stop-limit order, its stop."""
    collar = bounds.collar_percent
    reference = order.stop_price or last_price
    if collar is None or order.limit_price is None or reference is None:
        return None
    beyond = order.limit_price - reference if order.side == "buy" else reference - order.limit_price
    if beyond * _PERCENT <= collar.limit * reference:
        return None
    limit = shown(collar.limit)
    observed = shown(round(beyond * _PERCENT / reference, 4))
    return Refused(
        "risk_price_collar",
        f"The limit is further from the market than the {collar.level} allows, in percent.",
        limit,
        observed,
        collar.level,
    )


def _too_much(code: str, what: str, bound: Bound, observed: Decimal) -> Refused:
    return _denied(code, what, bound, shown(bound.limit), shown(observed))


def _denied(code: str, what: str, bound: Bound | CountBound, limit: str, observed: str) -> Refused:
    return Refused(
        code, f"It exceeds the {bound.level}'s limit of {what}.", limit, observed, bound.level
    )


def stopped(symbol: Symbol) -> Refused:
    return Refused(
        "corporate_action_failed",
        f"A split of {symbol} could not be carried out: nothing is traded until that is settled.",
        observed=symbol,
    )


def _halted(code: str, level: str, reason: str) -> Refused:
    return Refused(code, f"The {level}'s kill switch is engaged: {reason}", level=level)


def _loss_latched(latch: Latch) -> Refused:
    return Refused(
        "loss_limit_latched",
        "The loss limit was reached: only orders that reduce positions pass until that is "
        "acknowledged.",
        latch.limit,
        latch.observed,
        latch.level,
    )


def _margin_called(call: MarginCall) -> Refused:
    return Refused(
        "margin_call",
        "Equity is below the maintenance requirement: only orders that reduce positions pass.",
        call.requirement,
        call.equity,
        "account",
    )
