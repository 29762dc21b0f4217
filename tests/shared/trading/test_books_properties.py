"""Random days at the desk, against a second set of books that is written as plainly as can be."""

import itertools
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.identifiers import Symbol
from shared.trading.books import (
    Books,
    BooksState,
    Change,
    Deposited,
    OrderChanged,
    OrderFilled,
    WorkingOrder,
    order_id_of,
)
from shared.trading.checks import Instrument, Limits, Refused
from shared.trading.ledger import LedgerEntry
from shared.trading.orders import TRANSITIONS, Transition
from tests.shared.trading.support import ACCOUNT, T0, at, command, terms

D = Decimal
CASH = D("5000")
FEE_BPS, SLIP_BPS, BUFFER_BPS = D("7"), D("13"), D("100")
TICK, LOT = D("0.05"), D("0.5")
A = Instrument(Symbol("A"), "24/7", "USD", TICK, LOT, True)
B = Instrument(Symbol("B"), "24/7", "USD", TICK, LOT, True)


@dataclass
class NaiveOrder:
    name: str
    symbol: str
    side: str
    qty: Decimal
    limit: Decimal | None
    reserved: Decimal
    seen: bool = False
    state: str = "accepted"


@dataclass
class NaiveBooks:
    """All by scanning lists; nothing shared with the code under test."""

    cash: Decimal = CASH
    held: dict[str, Decimal] = field(default_factory=dict)
    orders: list[NaiveOrder] = field(default_factory=list)
    last: dict[str, Decimal] = field(default_factory=dict)
    fills: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)

    def slip(self, price: Decimal, side: str) -> Decimal:
        if side == "buy":
            worse = price * (1 + SLIP_BPS / 10000)
            return (worse / TICK).to_integral_value(ROUND_CEILING) * TICK
        worse = price * (1 - SLIP_BPS / 10000)
        return max((worse / TICK).to_integral_value(ROUND_FLOOR) * TICK, TICK)

    def fee(self, notional: Decimal) -> Decimal:
        return (notional * FEE_BPS / 10000).quantize(D("0.01"), ROUND_HALF_UP)

    def working(self) -> list[NaiveOrder]:
        return [order for order in self.orders if order.state == "accepted"]

    def submit(
        self, name: str, symbol: str, side: str, qty: Decimal, limit: Decimal | None
    ) -> None:
        order = NaiveOrder(name, symbol, side, qty, limit, D(0))
        self.orders.append(order)
        if limit is None and symbol not in self.last:
            order.state = "rejected"
            return
        if side == "buy":
            price = limit
            if price is None:
                price = self.slip(self.last[symbol] * (1 + BUFFER_BPS / 10000), "buy")
            order.reserved = qty * price + self.fee(qty * price)
            others = sum(each.reserved for each in self.working() if each is not order)
            if order.reserved > self.cash - others:
                order.state = "rejected"
        else:
            others = sum(
                each.qty
                for each in self.working()
                if each is not order and each.side == "sell" and each.symbol == symbol
            )
            if qty > self.held.get(symbol, D(0)) - others:
                order.state = "rejected"
        if order.state == "rejected":
            order.reserved = D(0)

    def print(self, symbol: str, price: Decimal) -> None:
        for order in [each for each in self.working() if each.symbol == symbol]:
            first, order.seen = not order.seen, True
            through = order.limit is None or (
                price <= order.limit if order.side == "buy" else price >= order.limit
            )
            if not through:
                continue
            at_price = self.slip(price, order.side)
            if order.limit is not None:
                if not first:
                    at_price = order.limit
                elif order.side == "buy":
                    at_price = min(at_price, order.limit)
                else:
                    at_price = max(at_price, order.limit)
            notional = order.qty * at_price
            sign = 1 if order.side == "sell" else -1
            after = self.cash + sign * notional - self.fee(notional)
            if after < 0:
                order.state = "cancelled"
                continue
            self.cash = after
            self.held[symbol] = self.held.get(symbol, D(0)) - sign * order.qty
            order.state = "filled"
            self.fills.append((order.name, order.qty, at_price))
        self.last[symbol] = price

    def cancel(self, name: str) -> bool:
        for order in self.working():
            if order.name == name:
                order.state = "cancelled"
                return True
        return False


symbols = st.sampled_from(["A", "B"])
#: Close together, so that orders meet prints; with gaps now and then.
prices = st.integers(80, 120).map(lambda ticks: ticks * TICK)
submits = st.tuples(
    st.just("submit"),
    symbols,
    st.sampled_from(["buy", "buy", "sell"]),
    st.integers(1, 700).map(lambda lots: lots * LOT),
    st.none() | prices,
)
prints = st.tuples(st.just("print"), symbols, prices)
gaps = st.tuples(st.just("print"), symbols, st.sampled_from([TICK, 10 * TICK, 1000 * TICK]))
#: Of the n-th order, if there is one.
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
restarts = st.tuples(st.just("restart"))
steps = st.lists(
    st.one_of(submits, submits, prints, prints, gaps, cancels, restarts),
    min_size=15,
    max_size=60,
)


@dataclass
class Played:
    books: Books
    naive: NaiveBooks = field(default_factory=NaiveBooks)
    entries: list[LedgerEntry] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    fills: list[OrderFilled] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    def take(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, Deposited):
                self.entries.append(change.entry)
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
            order = each.order
            seen = next(o.seen for o in self.naive.orders if o.name == order.client_order_id)
            copy = WorkingOrder(
                order, each.tick, each.reserved, each.tape_id, each.expires_at, each.steps
            )
            working.append((copy, not seen))
        state = BooksState(
            cash=last.balance,
            ledger_seq=last.seq,
            order_seq=len(self.states),
            execution_seq=len(self.fills),
            holdings=list(self.books.holdings.values()),
            working=working,
        )
        self.books = make_books(state)


def make_books(state: BooksState) -> Books:
    account = terms(str(CASH), str(FEE_BPS), str(SLIP_BPS))
    return Books(account, "paper", Limits(reserve_buffer_bps=BUFFER_BPS), state)


def play(day: list[tuple[Any, ...]]) -> Played:
    played = Played(make_books(BooksState()))
    played.take(played.books.open(T0))
    names = map(str, itertools.count())
    for second, (verb, *arguments) in enumerate(day):
        now = at(second)
        if verb == "submit":
            symbol, side, qty, limit = arguments
            name = next(names)
            instrument = A if symbol == "A" else B
            taken = played.books.submit(
                command(side, qty, limit, name=name, symbol=symbol),
                instrument,
                played.naive.last.get(symbol),
                now,
                "1-0",
                None,
            )
            assert not isinstance(taken, Refused), taken
            played.take([taken])
            played.naive.submit(name, symbol, side, qty, limit)
        elif verb == "cancel":
            name = str(arguments[0])
            done = played.books.cancel(order_id_of(ACCOUNT, "paper", name), now)
            assert (done is not None) == played.naive.cancel(name)
            played.take([done] if isinstance(done, OrderChanged) else [])
        elif verb == "print":
            symbol, price = arguments
            played.take(played.books.meet_print(Symbol(symbol), price, now))
            played.naive.print(symbol, price)
        else:
            played.restart()
        check_always(played)
    return played


def check_always(played: Played) -> None:
    books, naive = played.books, played.naive
    assert books.cash == naive.cash >= 0
    # Below zero when a market buy cost more than it had reserved: others may then be cancelled.
    assert books.free_cash == naive.cash - sum(each.reserved for each in naive.working())
    for symbol in ("A", "B"):
        holding = books.holdings.get(Symbol(symbol))
        qty = holding.qty if holding else D(0)
        assert qty == naive.held.get(symbol, D(0))
        assert 0 <= books.free_qty(Symbol(symbol)) <= qty


@settings(max_examples=200, deadline=None)
@given(steps)
def test_the_books_agree_with_the_naive_ones(day: list[tuple[Any, ...]]) -> None:
    played = play(day)
    assert played.states == {order.name: order.state for order in played.naive.orders}
    assert [
        (fill.order.client_order_id, fill.execution.qty, fill.execution.price)
        for fill in played.fills
    ] == played.naive.fills


@settings(max_examples=100, deadline=None)
@given(steps)
def test_the_ledger_adds_up_and_agrees_with_executions_and_positions(
    day: list[tuple[Any, ...]],
) -> None:
    played = play(day)
    balance = D(0)
    for number, entry in enumerate(played.entries, 1):
        balance += entry.amount
        assert (entry.seq, entry.balance) == (number, balance)
        assert balance >= 0
    assert balance == played.books.cash
    fees = sum((fill.execution.fee for fill in played.fills), D(0))
    realized = sum((fill.execution.realized_pnl for fill in played.fills), D(0))
    cost = sum((holding.cost for holding in played.books.holdings.values()), D(0))
    assert played.books.cash == CASH + realized - cost - fees
    for symbol, holding in played.books.holdings.items():
        own = [fill.execution for fill in played.fills if fill.execution.symbol == symbol]
        assert holding.realized_pnl == sum(each.realized_pnl for each in own)
        assert holding.fees == sum(each.fee for each in own)
    assert [fill.execution.seq for fill in played.fills] == list(range(1, len(played.fills) + 1))


@settings(max_examples=100, deadline=None)
@given(steps)
def test_every_transition_is_legal_and_follows_the_one_before(day: list[tuple[Any, ...]]) -> None:
    at_state: dict[Any, tuple[str | None, int]] = {}
    for step in play(day).transitions:
        status, seq = at_state.get(step.order_id, (None, 0))
        assert (step.from_status, step.seq) == (status, seq + 1)
        assert any(
            before == step.from_status and after == step.to_status
            for (before, _), after in TRANSITIONS.items()
        )
        at_state[step.order_id] = (step.to_status, step.seq)
