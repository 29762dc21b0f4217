"""Random days at the desk, against a second set of books that is written as plainly as can be."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.cash import LedgerEntry, MoveCash
from shared.models.identifiers import Symbol
from shared.models.orders import Order, ReplaceOrder, StopLoss, SubmitOrder, TakeProfit
from shared.trading.books import Books, BooksState
from shared.trading.changes import (
    CashEntered,
    Change,
    OrderFilled,
    OrderMoved,
    WorkingOrder,
    order_id_of,
)
from shared.trading.orders import TRANSITIONS, Transition
from shared.trading.paper_terms import parse_paper_terms
from shared.trading.terms import Instrument, Limits, Refused
from tests.shared.trading.support import ACCOUNT, T0, at, command, terms

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


symbols = st.sampled_from(["A", "B"])
#: Close together, so that orders meet prints; with gaps now and then.
prices = st.integers(80, 120).map(lambda ticks: ticks * TICK)
tickets = st.one_of(
    st.builds(Ticket, force=st.sampled_from(["gtc", "ioc", "fok"])),
    st.builds(
        Ticket,
        kind=st.just("limit"),
        limit=prices,
        force=st.sampled_from(["gtc", "gtc", "ioc", "fok"]),
    ),
    st.builds(Ticket, kind=st.just("stop"), stop=prices),
    st.builds(Ticket, kind=st.just("stop_limit"), stop=prices, limit=prices),
    st.builds(
        Ticket,
        kind=st.just("trailing_stop"),
        trail=st.integers(1, 120).map(lambda ticks: ticks * TICK),
    ),
    st.builds(
        Ticket,
        kind=st.just("trailing_stop"),
        percent=st.integers(1, 2000).map(lambda steps: steps / D(100)),
    ),
    st.builds(
        Ticket,
        kind=st.just("limit"),
        limit=prices,
        force=st.just("gtd"),
        lives_s=st.integers(1, 20),
    ),
)
submits = st.tuples(
    st.just("submit"),
    symbols,
    st.sampled_from(["buy", "buy", "sell"]),
    st.integers(1, 700).map(lambda lots: lots * LOT),
    tickets,
)
#: From too small for a lot up to more than most orders want.
sizes = st.sampled_from([D("0.3"), D(7), D(60), D(1000)])
prints = st.tuples(st.just("print"), symbols, prices, sizes)
gaps = st.tuples(st.just("print"), symbols, st.sampled_from([TICK, 10 * TICK, 1000 * TICK]), sizes)
plans = st.tuples(st.none() | st.integers(95, 105), st.integers(106, 115), st.integers(85, 94)).map(
    lambda ticks: Plan(
        Ticket() if ticks[0] is None else Ticket(kind="limit", limit=ticks[0] * TICK),
        Ticket(kind="limit", limit=ticks[1] * TICK),
        Ticket(kind="stop", stop=ticks[2] * TICK),
    )
)
groups = st.tuples(
    st.just("group"),
    symbols,
    st.sampled_from(["bracket", "oco"]),
    st.integers(1, 150).map(lambda lots: lots * LOT),
    plans,
)
#: Of the n-th order, if there is one.
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
#: Of the n-th order, if it works: another quantity or price, or both.
replaces = st.tuples(
    st.just("replace"),
    st.integers(0, 30),
    st.none() | st.integers(1, 400).map(lambda lots: lots * LOT),
    st.none() | prices,
)
moves = st.tuples(st.just("move"), st.integers(-200_000, 200_000).filter(bool))
restarts = st.tuples(st.just("restart"))
runs = st.tuples(st.just("run"))
#: Both symbols are held, so that there is something to sell.
opening: list[tuple[Any, ...]] = [
    (verb, symbol, *more)
    for symbol in ("A", "B")
    for verb, *more in (
        ("print", 100 * TICK, D(1000)),
        ("submit", "buy", 200 * LOT, Ticket()),
        ("print", 100 * TICK, D(1000)),
    )
]
steps = st.lists(
    st.one_of(
        submits,
        submits,
        groups,
        groups,
        prints,
        prints,
        prints,
        gaps,
        cancels,
        replaces,
        moves,
        restarts,
        runs,
    ),
    min_size=15,
    max_size=60,
)
days = st.tuples(st.sampled_from(TERMS), steps.map(lambda day: opening + day))


@dataclass
class Played:
    books: Books
    naive: NaiveBooks = field(default_factory=NaiveBooks)
    entries: list[LedgerEntry] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    fills: list[OrderFilled] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    told: dict[str, Order] = field(default_factory=dict)

    def take(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, CashEntered):
                self.entries.append(change.entry)
                continue
            self.told[change.order.client_order_id] = change.order
            if isinstance(change, OrderMoved):
                continue
            self.transitions.extend(change.transitions)
            self.states[change.order.client_order_id] = change.order.status
            if isinstance(change, OrderFilled):
                self.entries.extend(change.entries)
                self.fills.append(change)

    def restart(self) -> None:
        """New books from what the old ones have told, as after a crash."""
        last = self.entries[-1]
        working = []
        for each in self.books.working.values():
            order = self.told[each.order.client_order_id]
            parts = [fill for fill in self.fills if fill.order.id == order.id]
            seen = next(o.seen for o in self.naive.orders if o.name == order.client_order_id)
            copy = WorkingOrder(
                order,
                each.tick,
                each.lot,
                each.terms,
                each.reserved,
                each.tape_id,
                each.steps,
                executions=len(parts),
                value=sum((fill.execution.qty * fill.execution.price for fill in parts), D(0)),
                fees=sum((fill.execution.fee for fill in parts), D(0)),
                commission=parts[-1].commission if parts else D(0),
            )
            working.append((copy, not seen))
        lots = {lot.seq: lot for fill in self.fills for lot in fill.lots.lots}
        state = BooksState(
            cash=last.balance,
            ledger_seq=last.seq,
            order_seq=len(self.states),
            execution_seq=len(self.fills),
            holdings=list(self.books.holdings.values()),
            strategy_holdings=list(self.books.strategy_holdings),
            lots=[lot for lot in lots.values() if lot.qty],
            lot_seq=len(lots),
            working=working,
        )
        self.books = make_books(state, self.naive.terms)


def make_books(state: BooksState, chosen: NaiveTerms) -> Books:
    account = terms(str(CASH), paper=parse_paper_terms(chosen.document))
    return Books(account, "paper", Limits(reserve_buffer_bps=BUFFER_BPS), state)


def play(chosen: NaiveTerms, day: list[tuple[Any, ...]]) -> Played:
    played = Played(make_books(BooksState(), chosen), NaiveBooks(terms=chosen))
    played.take(played.books.open(T0))
    names = map(str, itertools.count())
    for second, (verb, *arguments) in enumerate(day):
        now = at(second)
        played.take(played.books.expire(now))
        played.naive.expire(second)
        if verb == "submit":
            symbol, side, qty, ticket = arguments
            name = next(names)
            instrument = A if symbol == "A" else B
            taken = played.books.submit(
                submit_command(name, symbol, side, qty, ticket, second),
                instrument,
                played.naive.last.get(symbol),
                now,
                "1-0",
                None,
            )
            assert not isinstance(taken, Refused), taken
            played.take(list(taken))
            played.naive.submit(name, symbol, side, qty, ticket, second)
        elif verb == "group":
            symbol, kind, qty, plan = arguments
            name = next(names)
            taken = played.books.submit(
                group_command(name, symbol, kind, qty, plan),
                A if symbol == "A" else B,
                played.naive.last.get(symbol),
                now,
                "1-0",
                None,
            )
            assert not isinstance(taken, Refused), taken
            played.take(list(taken))
            played.naive.submit_group(name, symbol, kind, qty, plan)
        elif verb == "cancel":
            name = nth(played, arguments[0])
            done = played.books.cancel(order_id_of(ACCOUNT, "paper", name), now)
            assert bool(done) == played.naive.cancel(name)
            played.take(list(done))
        elif verb == "replace":
            name = nth(played, arguments[0])
            replace(played, name, next(names), *arguments[1:], second)
        elif verb == "print":
            symbol, price, size = arguments
            played.take(played.books.meet_print(Symbol(symbol), price, now, size))
            played.naive.print(symbol, price, size)
        elif verb == "move":
            move_cash(played, str(second), arguments[0] / D(100), now)
        elif verb == "run":
            played.take(played.books.forget_prints())
            played.naive.begin_run()
        else:
            played.restart()
        check_always(played)
    return played


def nth(played: Played, number: int) -> str:
    """Name of an order; nobody's when there are not so many."""
    orders = played.naive.orders
    return orders[number].name if number < len(orders) else "nobody"


def replace(
    played: Played, name: str, new: str, qty: Decimal | None, price: Decimal | None, now_s: int
) -> None:
    working = played.books.working.get(order_id_of(ACCOUNT, "paper", name))
    if working is None:
        return
    old = next(each for each in played.naive.orders if each.name == name)
    if old.role == "exit":
        qty = None
    changes = {"limit": "limit_price", "stop_limit": "limit_price", "stop": "stop_price"}
    given = changes.get(old.ticket.kind) if price is not None else None
    command = ReplaceOrder(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        order_id=working.order.id,
        client_order_id=new,
        submitted_by="user:1",
        qty=qty,
        **({given: price} if given else {}),
    )
    instrument = A if old.symbol == "A" else B
    last = played.naive.last.get(old.symbol)
    done = played.books.replace(working, command, instrument, last, at(now_s), "1-0")
    if qty is None and given is None:
        assert isinstance(done, Refused)
        assert done.code == "nothing_to_replace"
        return
    if given == "stop_price" and old.triggered:
        assert isinstance(done, Refused)
        assert done.code == "order_triggered"
        return
    if qty is not None and old.filled and qty <= old.filled:
        assert isinstance(done, Refused)
        assert done.code == "qty_not_above_filled"
        return
    ticket = dataclasses.replace(
        old.ticket, **({given.removesuffix("_price"): price} if given else {})
    )
    if old.group and not played.naive.makes_sense(old, ticket):
        assert isinstance(done, Refused)
        assert done.code == "exit_on_wrong_side"
        return
    assert not isinstance(done, Refused), done
    played.take(list(done))
    played.naive.replace(old, new, (qty or old.qty) - old.filled, ticket, now_s)


def move_cash(played: Played, name: str, amount: Decimal, now: datetime) -> None:
    command = MoveCash(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_entry_id=name,
        submitted_by="user:1",
        kind="deposit" if amount > 0 else "withdrawal",
        amount=amount,
        currency="USD",
    )
    entered = played.books.move_cash(command, now)
    assert isinstance(entered, CashEntered) == played.naive.move_cash(amount)
    played.take([entered] if isinstance(entered, CashEntered) else [])


def submit_command(
    name: str, symbol: str, side: Any, qty: Decimal, ticket: Ticket, now_s: int
) -> SubmitOrder:
    return command(
        side,
        qty,
        ticket.limit,
        name=name,
        symbol=symbol,
        order_type=ticket.kind,
        time_in_force=ticket.force,
        stop_price=ticket.stop,
        trail_price=ticket.trail,
        trail_percent=ticket.percent,
        expires_at=None if ticket.lives_s is None else at(now_s + ticket.lives_s),
    )


def group_command(name: str, symbol: str, kind: Any, qty: Decimal, plan: Plan) -> SubmitOrder:
    assert plan.target.limit is not None
    entry = plan.entry if kind == "bracket" else Ticket()
    order = command(
        "buy" if kind == "bracket" else "sell",
        qty,
        entry.limit,
        name=name,
        symbol=symbol,
        order_class=kind,
        take_profit=TakeProfit(limit_price=plan.target.limit),
        stop_loss=StopLoss(stop_price=plan.stop.stop),
    )
    return order if kind == "bracket" else msgspec.structs.replace(order, order_type="limit")


def check_always(played: Played) -> None:
    books, naive = played.books, played.naive
    assert books.cash == naive.cash >= 0
    for working in books.working.values():
        order = working.order
        assert played.told[order.client_order_id] == order
        plain = next(each for each in naive.orders if each.name == order.client_order_id)
        assert (order.triggered_at is not None) == plain.triggered
        if "stop" in order.type and not plain.triggered:
            assert order.stop_price == plain.stop()
        assert (working.open_qty, working.reserved) == (plain.open, plain.reserved)
    # Below zero when a market buy cost more than it had reserved: others may then be cancelled.
    assert books.free_cash == naive.cash - sum(each.kept for each in naive.working())
    for symbol in ("A", "B"):
        holding = books.holdings.get(Symbol(symbol))
        qty = holding.qty if holding else D(0)
        assert qty == naive.held.get(symbol, D(0))
        assert 0 <= books.free_qty(Symbol(symbol)) <= qty


@settings(max_examples=200, deadline=None)
@given(days)
def test_the_books_agree_with_the_naive_ones(
    day: tuple[NaiveTerms, list[tuple[Any, ...]]],
) -> None:
    played = play(*day)
    assert played.states == {order.name: order.state for order in played.naive.orders}
    assert [
        (
            fill.order.client_order_id,
            fill.execution.qty,
            fill.execution.price,
            fill.execution.fee,
        )
        for fill in played.fills
    ] == played.naive.fills


@settings(max_examples=100, deadline=None)
@given(days)
def test_the_ledger_adds_up_and_agrees_with_executions_and_positions(
    day: tuple[NaiveTerms, list[tuple[Any, ...]]],
) -> None:
    played = play(*day)
    balance = D(0)
    for number, entry in enumerate(played.entries, 1):
        balance += entry.amount
        assert (entry.seq, entry.balance) == (number, balance)
        assert balance >= 0
    assert balance == played.books.cash
    fees = sum((fill.execution.fee for fill in played.fills), D(0))
    realized = sum((fill.execution.realized_pnl for fill in played.fills), D(0))
    cost = sum((holding.cost for holding in played.books.holdings.values()), D(0))
    moved = sum((entry.amount for entry in played.entries if entry.client_entry_id), D(0))
    assert played.books.cash == CASH + moved + realized - cost - fees
    for symbol, holding in played.books.holdings.items():
        own = [fill.execution for fill in played.fills if fill.execution.symbol == symbol]
        assert holding.realized_pnl == sum(each.realized_pnl for each in own)
        assert holding.fees == sum(each.fee for each in own)
    assert [fill.execution.seq for fill in played.fills] == list(range(1, len(played.fills) + 1))


@settings(max_examples=100, deadline=None)
@given(days)
def test_every_transition_is_legal_and_follows_the_one_before(
    day: tuple[NaiveTerms, list[tuple[Any, ...]]],
) -> None:
    at_state: dict[Any, tuple[str | None, int]] = {}
    for step in play(*day).transitions:
        status, seq = at_state.get(step.order_id, (None, 0))
        assert (step.from_status, step.seq) == (status, seq + 1)
        assert any(
            before == step.from_status and after == step.to_status
            for (before, _), after in TRANSITIONS.items()
        )
        at_state[step.order_id] = (step.to_status, step.seq)
