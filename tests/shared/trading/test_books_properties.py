"""Random days at the desk, against a second set of books."""

import dataclasses
import itertools
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings

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
from shared.trading.terms import Limits, Refused
from tests.shared.trading.days import days
from tests.shared.trading.naive_books import (
    BUFFER_BPS,
    CASH,
    A,
    B,
    D,
    NaiveBooks,
    NaiveTerms,
    Plan,
    Ticket,
)
from tests.shared.trading.support import ACCOUNT, T0, at, command, terms


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
