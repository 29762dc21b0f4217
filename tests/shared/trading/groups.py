"""Brackets and pairs of exits, and what the books tell of them."""

from decimal import Decimal
from typing import Any

import msgspec

from shared.models.orders import ReplaceOrder, Side, StopLoss, SubmitOrder, TakeProfit
from shared.trading.books import Books, BooksState
from shared.trading.changes import Change, OrderChanged
from shared.trading.paper import Moment
from shared.trading.terms import Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, at, command, open_books, submit, terms

D = Decimal


def bracket(
    side: Side = "buy",
    qty: str = "10",
    limit: str | None = "100",
    target: str | None = "110",
    stop: str | None = "95",
    **more: Any,
) -> SubmitOrder:
    """With one of the exits left out an OTO; `more` are further fields."""
    fields: dict[str, Any] = {
        "order_class": "bracket" if target and stop else "oto",
        "take_profit": None if target is None else TakeProfit(limit_price=D(target)),
        "stop_loss": None if stop is None else StopLoss(stop_price=D(stop)),
    }
    return command(side, qty, limit, **fields | more)


def oco(qty: str = "10", target: str = "110", stop: str = "95", **more: Any) -> SubmitOrder:
    order = bracket("sell", qty, None, target, stop, name="exit", **more)
    return msgspec.structs.replace(order, order_class="oco", order_type="limit")


def holding(qty: str = "10", capital: str = "10000") -> Books:
    books = open_books(terms(capital))
    submit(books, command("buy", qty, name="in"))
    meet(books, "100")
    return books


def meet(books: Books, price: str, second: int = 1) -> list[Change]:
    return books.meet_print(SPY.symbol, D(price), at(second))


def fill(books: Books, name: str, qty: str, price: str) -> list[Change]:
    """A part of an order fills, as at a market that has no more."""
    working = next(each for each in books.working.values() if each.order.client_order_id == name)
    assert D(qty) <= working.open_qty
    printed = Moment(at(1), D(price))
    filled = books._market._fill_or_cancel(working, D(qty), printed, first_print=True)
    return [filled, *books._groups.after(filled, at(1))]


def orders(books: Books) -> dict[str, tuple[str, Decimal, Decimal]]:
    """What works: status, quantity, and what of it can fill now."""
    return {
        each.order.client_order_id: (each.order.status, each.order.qty, each.open_qty)
        for each in books.working.values()
    }


def told(changes: list[Change]) -> list[tuple[str, str, str | None]]:
    return [
        (change.order.client_order_id, change.order.status, change.order.reason_code)
        for change in changes
        if not hasattr(change, "entry")
    ]


def replace(books: Books, name: str, **changes: str) -> Refused | list[OrderChanged]:
    working = next(each for each in books.working.values() if each.order.client_order_id == name)
    revision = ReplaceOrder(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        order_id=working.order.id,
        client_order_id=f"{name}-new",
        submitted_by="user:1",
        **{key: D(value) for key, value in changes.items()},
    )
    return books.replace(working, revision, SPY, D(100), at(5), "2-0")


def reopened(books: Books) -> Books:
    """From what is stored, as after a crash: no print is a leg's first."""
    working = [
        (msgspec.structs.replace(each, withheld=D(0)), False) for each in books.working.values()
    ]
    state = BooksState(
        cash=books.cash,
        ledger_seq=5,
        order_seq=50,
        execution_seq=5,
        holdings=list(books.holdings.values()),
        working=working,
    )
    return Books(books.account, "paper", Limits(), state)
