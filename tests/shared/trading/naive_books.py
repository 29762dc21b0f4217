"""A second set of books, written as plainly as can be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from shared.models.identifiers import Symbol
from shared.trading.terms import Instrument

D = Decimal

CASH = D("5000")

BUFFER_BPS = D("100")

TICK, LOT = D("0.05"), D("0.5")

A = Instrument(Symbol("A"), "24/7", "USD", TICK, LOT, True)

B = Instrument(Symbol("B"), "24/7", "USD", TICK, LOT, True)


@dataclass(frozen=True)
class NaiveTerms:
    """Of an account: as a document, and what it means."""

    document: dict[str, Any]
    slip: Callable[[Decimal], Decimal]
    #: Of an order, by what has filled of it and its value.
    commission: Callable[[Decimal, Decimal], Decimal]
    share: Decimal | None = None


TERMS = [
    NaiveTerms(
        {"commission": {"model": "percent", "bps": "7"}, "slippage": {"model": "bps", "bps": "13"}},
        slip=lambda price: price * 13 / 10000,
        commission=lambda _, value: value * 7 / 10000,
    ),
    NaiveTerms(
        {
            "commission": {
                "model": "per_share",
                "amount": "0.013",
                "minimum": "1",
                "maximum_percent": "2",
            },
            "slippage": {"model": "ticks", "ticks": 2},
            "participation_percent": "30",
        },
        slip=lambda _: 2 * TICK,
        commission=lambda qty, value: min(max(qty * D("0.013"), D(1)), value * 2 / 100),
        share=D("0.3"),
    ),
    NaiveTerms(
        {
            "commission": {
                "model": "tiered",
                "per": "order",
                "tiers": [
                    {"from_value": "0", "bps": "33"},
                    {"from_value": "50", "bps": "20"},
                    {"from_value": "100", "bps": "5"},
                ],
            },
            "slippage": {"model": "none"},
            "participation_percent": "100",
        },
        slip=lambda _: D(0),
        commission=lambda _, value: (
            min(value, D(50)) * 33 / 10000
            + min(max(value - 50, D(0)), D(50)) * 20 / 10000
            + max(value - 100, D(0)) * 5 / 10000
        ),
        share=D(1),
    ),
]

ENDED = {"filled", "cancelled", "rejected", "expired", "replaced"}


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(D("0.01"), ROUND_HALF_UP)


@dataclass(frozen=True)
class Ticket:
    """What is special about an order."""

    kind: str = "market"
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    percent: Decimal | None = None
    force: str = "gtc"
    #: Seconds from its submission to its end, for a GTD order.
    lives_s: int | None = None


@dataclass(frozen=True)
class Plan:
    """Tickets of a group."""

    entry: Ticket
    target: Ticket
    stop: Ticket


@dataclass
class NaiveOrder:
    name: str
    symbol: str
    side: str
    qty: Decimal
    ticket: Ticket
    ends_s: int | None
    reserved: Decimal = Decimal()
    seen: bool = False
    triggered: bool = False
    #: Prices that a trailing stop has seen.
    prices: list[Decimal] = field(default_factory=list)
    state: str = "accepted"
    filled: Decimal = Decimal()
    value: Decimal = Decimal()
    fees: Decimal = Decimal()
    #: Of an exit: what its entry has not filled yet.
    withheld: Decimal = Decimal()
    #: Name of its group's first order, and what it is for.
    group: str = ""
    role: str = ""

    @property
    def left(self) -> Decimal:
        return self.qty - self.filled

    @property
    def open(self) -> Decimal:
        return self.left - self.withheld

    @property
    def kept(self) -> Decimal:
        share = self.reserved * self.open / self.qty
        return share.quantize(D("1e-12"), ROUND_CEILING) if self.filled else self.reserved

    @property
    def limit(self) -> Decimal | None:
        return self.ticket.limit

    def stop(self) -> Decimal | None:
        if self.ticket.kind != "trailing_stop":
            return self.ticket.stop
        if not self.prices:
            return None
        mark = max(self.prices) if self.side == "sell" else min(self.prices)
        away = self.ticket.trail
        if away is None:
            assert self.ticket.percent is not None
            away = mark * self.ticket.percent / 100
        if self.side == "buy":
            return ((mark + away) / TICK).to_integral_value(ROUND_CEILING) * TICK
        return max(((mark - away) / TICK).to_integral_value(ROUND_FLOOR) * TICK, TICK)

    def waits(self, price: Decimal) -> bool:
        """Whether it is still a stop after this print."""
        if self.triggered or "stop" not in self.ticket.kind:
            return False
        stop = self.stop()
        before = list(self.prices)
        self.prices.append(price)
        if self.ticket.kind == "trailing_stop":
            best = max if self.side == "sell" else min
            if not before or best(price, best(before)) != best(before):
                return True
        assert stop is not None
        reached = price >= stop if self.side == "buy" else price <= stop
        return not reached


@dataclass
class NaiveBooks:
    """All by scanning lists; nothing shared with the code under test."""

    cash: Decimal = CASH
    held: dict[str, Decimal] = field(default_factory=dict)
    orders: list[NaiveOrder] = field(default_factory=list)
    last: dict[str, Decimal] = field(default_factory=dict)
    #: Name, quantity, price and fee.
    fills: list[tuple[str, Decimal, Decimal, Decimal]] = field(default_factory=list)
    terms: NaiveTerms = TERMS[0]

    def slip(self, price: Decimal, side: str) -> Decimal:
        shift = self.terms.slip(price)
        if side == "buy":
            return ((price + shift) / TICK).to_integral_value(ROUND_CEILING) * TICK
        return max(((price - shift) / TICK).to_integral_value(ROUND_FLOOR) * TICK, TICK)

    def working(self) -> list[NaiveOrder]:
        return [each for each in self.orders if each.state in ("accepted", "partially_filled")]

    def submit(
        self, name: str, symbol: str, side: str, qty: Decimal, ticket: Ticket, now_s: int
    ) -> None:
        ends_s = None if ticket.lives_s is None else now_s + ticket.lives_s
        order = NaiveOrder(name, symbol, side, qty, ticket, ends_s)
        self.orders.append(order)
        if ticket.kind in ("market", "trailing_stop"):
            if symbol not in self.last:
                order.state = "rejected"
                return
            order.prices.append(self.last[symbol])
        if side == "buy":
            price = ticket.limit
            if price is None:
                expected = self.last.get(symbol, D(0))
                if "stop" in ticket.kind:
                    expected = max(expected, order.stop() or D(0))
                price = self.slip(expected * (1 + BUFFER_BPS / 10000), "buy")
            order.reserved = qty * price + cents(self.terms.commission(qty, qty * price))
            others = sum(each.kept for each in self.working() if each is not order)
            if order.reserved > self.cash - others:
                order.state = "rejected"
        elif qty > self.held.get(symbol, D(0)) - self.sold(order):
            order.state = "rejected"
        if order.state == "rejected":
            order.reserved = D(0)

    def sold(self, but: NaiveOrder) -> Decimal:
        """What working sells keep of a symbol; exits of one group keep it once."""
        kept = {
            (each.group or each.name): each.open
            for each in self.working()
            if each is not but and each.side == "sell" and each.symbol == but.symbol
        }
        if but.group:
            kept.pop(but.group, None)
        return sum(kept.values(), D(0))

    def submit_group(self, name: str, symbol: str, kind: str, qty: Decimal, plan: Plan) -> None:
        """An entry to buy with two exits, or two exits."""
        entry = kind == "bracket"
        if entry:
            self.submit(name, symbol, "buy", qty, plan.entry, 0)
        else:
            self.submit(name, symbol, "sell", qty, plan.target, 0)
        first = self.orders[-1]
        first.group, first.role = name, "entry" if entry else "exit"
        exits = [("stop_loss", plan.stop)]
        if entry:
            exits.insert(0, ("take_profit", plan.target))
        for leg, ticket in exits:
            order = NaiveOrder(f"{name}.{leg}", symbol, "sell", qty, ticket, None)
            order.group, order.role, order.seen = name, "exit", entry
            order.state = "held" if entry and first.state == "accepted" else first.state
            order.withheld = qty if entry else D(0)
            self.orders.append(order)

    def group_of(self, order: NaiveOrder) -> list[NaiveOrder]:
        return [
            each
            for each in self.orders
            if order.group and each is not order and each.group == order.group
        ]

    def follow_fill(self, order: NaiveOrder, qty: Decimal) -> None:
        """`order` has filled that much."""
        for each in self.group_of(order):
            if each.state in ENDED or each.role == "entry":
                continue
            if order.role == "entry":
                # One that had nothing to fill is at its price before the next print comes.
                each.seen = each.seen or not each.open
                each.withheld = order.left
                each.state = "accepted" if each.state == "held" else each.state
            elif each.left == qty:
                each.state = "cancelled"
            else:
                each.qty -= qty

    def follow_end(self, order: NaiveOrder) -> None:
        """`order` has ended, and not by a fill."""
        for each in self.group_of(order):
            if each.state in ENDED:
                continue
            if order.role == "exit" or each.left == order.left:
                each.state = "cancelled"
            else:
                each.qty -= order.left
                each.withheld = D(0)

    def print(self, symbol: str, price: Decimal, size: Decimal) -> None:
        takeable = D("Infinity")
        if self.terms.share is not None:
            takeable = (size * self.terms.share / LOT).to_integral_value(ROUND_FLOOR) * LOT
        for order in [each for each in self.working() if each.symbol == symbol and each.open]:
            if order.state in ENDED or not order.open or order.waits(price):
                continue
            if "stop" in order.ticket.kind and not order.triggered:
                order.triggered, order.seen = True, False
            first, order.seen = not order.seen, True
            through = order.limit is None or (
                price <= order.limit if order.side == "buy" else price >= order.limit
            )
            if not through:
                if order.ticket.force in ("ioc", "fok"):
                    order.state = "cancelled"
                continue
            at_price = self.slip(price, order.side)
            if order.limit is not None:
                if not first:
                    at_price = order.limit
                elif order.side == "buy":
                    at_price = min(at_price, order.limit)
                else:
                    at_price = max(at_price, order.limit)
            qty = min(order.open, takeable)
            if order.ticket.force == "fok" and qty < order.open:
                order.state = "cancelled"
            elif qty:
                takeable -= self.fill(order, qty, at_price)
            if order.ticket.force == "ioc" and order.state != "filled":
                order.state = "cancelled"
        self.last[symbol] = price

    def fill(self, order: NaiveOrder, qty: Decimal, price: Decimal) -> Decimal:
        """What it takes from the print."""
        value, sign = qty * price, 1 if order.side == "sell" else -1
        commission = self.terms.commission(order.filled + qty, order.value + value)
        fee = cents(commission) - order.fees
        if self.cash + sign * value - fee < 0:
            order.state = "cancelled"
            self.follow_end(order)
            return D(0)
        self.cash += sign * value - fee
        self.held[order.symbol] = self.held.get(order.symbol, D(0)) - sign * qty
        order.filled, order.value, order.fees = (
            order.filled + qty,
            order.value + value,
            order.fees + fee,
        )
        order.state = "partially_filled" if order.left else "filled"
        self.fills.append((order.name, qty, price, fee))
        self.follow_fill(order, qty)
        return qty

    def replace(self, old: NaiveOrder, name: str, qty: Decimal, ticket: Ticket, now_s: int) -> None:
        before, old.state = old.state, "replaced"
        if old.role == "exit":
            state = "held" if before == "held" else "accepted"
            new = NaiveOrder(name, old.symbol, old.side, qty, ticket, None, state=state)
            new.seen = before == "held"
            new.withheld = old.withheld
            self.orders.append(new)
        else:
            self.submit(name, old.symbol, old.side, qty, ticket, now_s)
            new = self.orders[-1]
        if new.state == "rejected":
            old.state = before
        elif old.role == "entry":
            for each in self.group_of(old):
                if each.state not in ENDED:
                    each.qty += qty - old.left
                    each.withheld = qty
        new.group, new.role = old.group, old.role
        new.ends_s, new.triggered = old.ends_s, old.triggered
        new.prices = list(old.prices)

    def move_cash(self, amount: Decimal) -> bool:
        """By the owner: never what working orders reserve."""
        free = self.cash - sum(each.kept for each in self.working())
        if amount < 0 and -amount > min(free, self.cash):
            return False
        self.cash += amount
        return True

    def expire(self, now_s: int) -> None:
        for order in self.working():
            if order.ends_s is not None and order.ends_s <= now_s:
                order.state = "expired"

    def begin_run(self) -> None:
        self.last.clear()
        for order in self.working():
            order.seen = False
            order.prices.clear()

    def cancel(self, name: str) -> bool:
        for order in self.orders:
            if order.name == name and order.state not in ENDED:
                order.state = "cancelled"
                self.follow_end(order)
                return True
        return False

    def makes_sense(self, old: NaiveOrder, ticket: Ticket) -> bool:
        """Whether the prices of a group lie in their order when one of them is `ticket`'s."""
        found = {"limit": [D("Infinity")], "stop": [D(0)], "entry": list[Decimal]()}
        for each in [*self.group_of(old), old]:
            its = ticket if each is old else each.ticket
            filling = each.role != old.role and "held" not in (each.state, old.state)
            if each is not old and (each.state in ENDED or filling):
                continue
            if each.role == "entry":
                found["entry"] += [its.limit] if its.limit is not None else []
            else:
                found[its.kind].append(its.limit or its.stop or D(0))
        low, high = max(found["stop"]), min(found["limit"])
        return low < high and all(low < price < high for price in found["entry"])
