"""Replacing orders and closing positions, as the books see it."""

from decimal import Decimal
from typing import Any

import pytest

from shared.models.orders import ClosePositions, ReplaceOrder
from shared.trading.books import Books
from shared.trading.changes import OrderChanged, WorkingOrder
from shared.trading.terms import Refused
from tests.shared.trading.support import ACCOUNT, SPY, at, command, open_books, submit

D = Decimal


def revise(
    books: Books,
    working: WorkingOrder,
    last: str | None = "100",
    by: str = "user:1",
    **changes: str,
) -> Refused | list[OrderChanged]:
    order = ReplaceOrder(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        order_id=working.order.id,
        client_order_id="new",
        submitted_by=by,
        **{key: D(value) for key, value in changes.items()},
    )
    return books.replace(working, order, SPY, None if last is None else D(last), at(5), "2-0")


def close(books: Books, last: str | None = "100", **more: Any) -> Refused | list[OrderChanged]:
    order = ClosePositions(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id="out",
        submitted_by="user:1",
        symbol=SPY.symbol,
        **more,
    )
    return books.close(SPY.symbol, order, SPY, None if last is None else D(last), at(5), "2-0")


def only(books: Books) -> WorkingOrder:
    [working] = books.working.values()
    return working


def taken(done: Refused | list[OrderChanged]) -> list[OrderChanged]:
    assert not isinstance(done, Refused), done
    return done


def test_the_new_order_keeps_what_is_not_replaced() -> None:
    books = open_books()
    submit(books, command("buy", "10", "90", time_in_force="gtd", expires_at=at(60)))
    old, new = taken(revise(books, only(books), qty="4"))
    assert (old.order.status, old.order.replaced_by) == ("replaced", new.order.id)
    assert (new.order.status, new.order.replaces) == ("accepted", old.order.id)
    assert (new.order.qty, new.order.limit_price) == (4, 90)
    assert (new.order.time_in_force, new.order.expires_at) == ("gtd", at(60))
    assert books.free_cash == D(10_000) - 360
    assert [change.order.id for change in books.expire(at(60))] == [new.order.id]  # type: ignore[union-attr]


def test_what_the_old_order_reserved_is_free_for_the_new_one() -> None:
    books = open_books()
    submit(books, command("buy", "100", "100"))
    assert books.free_cash == 0
    _, new = taken(revise(books, only(books), limit_price="99.50"))
    assert new.order.status == "accepted"
    assert books.free_cash == 50


def test_a_rejected_replacement_leaves_the_order_working() -> None:
    books = open_books()
    submit(books, command("buy", "10", "90"))
    [rejected] = taken(revise(books, only(books), qty="1000"))
    assert rejected.order.reason_code == "insufficient_buying_power"
    assert only(books).order.status == "accepted"
    assert books.free_cash == D(10_000) - 900


def test_a_replaced_trailing_stop_keeps_its_mark() -> None:
    books = open_books()
    order = command("buy", "1", order_type="trailing_stop", trail_price="5")
    submit(books, order, last="100")
    books.meet_print(SPY.symbol, D(90), at(1))
    _, new = taken(revise(books, only(books), last="93", trail_percent="10"))
    assert (new.order.hwm, new.order.stop_price) == (90, 99)
    assert (new.order.trail_price, new.order.trail_percent) == (None, 10)


def test_a_triggered_stop_limit_can_move_its_limit_and_no_longer_its_stop() -> None:
    books = open_books()
    submit(books, command("buy", "1", "101", order_type="stop_limit", stop_price="105"))
    books.meet_print(SPY.symbol, D(106), at(1))
    moved = revise(books, only(books), stop_price="110")
    assert isinstance(moved, Refused)
    assert moved.code == "order_triggered"
    _, new = taken(revise(books, only(books), limit_price="107"))
    assert new.order.triggered_at == at(1)
    assert len(books.meet_print(SPY.symbol, D("106.5"), at(6))) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "nothing_to_replace"),
        ({"qty": "0"}, "invalid_qty"),
        ({"qty": "0.5"}, "qty_not_in_lots"),
        ({"limit_price": "-1"}, "invalid_limit_price"),
        ({"limit_price": "1.005"}, "limit_price_not_on_tick"),
        ({"stop_price": "5"}, "stop_price_not_allowed"),
        ({"trail_price": "5"}, "trail_not_allowed"),
    ],
)
def test_a_replacement_that_makes_no_sense_is_refused_and_changes_nothing(
    changes: dict[str, str], code: str
) -> None:
    books = open_books()
    submit(books, command("buy", "10", "90"))
    before = only(books).order
    refused = revise(books, only(books), **changes)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert only(books).order == before


def test_an_order_of_a_strategy_is_not_replaced_behind_its_back() -> None:
    books = open_books()
    by = f"deployment:{ACCOUNT}"
    submit(books, command("buy", "10", "90", deployment_id=ACCOUNT, submitted_by=by))
    refused = revise(books, only(books), qty="1")
    assert isinstance(refused, Refused)
    assert refused.code == "order_of_deployment"


def test_a_strategy_replaces_its_own_order_and_the_new_one_is_its_own_too() -> None:
    books = open_books()
    by = f"deployment:{ACCOUNT}"
    submit(books, command("buy", "10", "90", deployment_id=ACCOUNT, submitted_by=by))
    _, new = taken(revise(books, only(books), by=by, limit_price="91"))
    assert (new.order.deployment_id, new.order.submitted_by) == (ACCOUNT, by)
    assert (new.order.limit_price, new.order.qty) == (D(91), D(10))


def test_closing_cancels_working_orders_only_when_it_can_sell() -> None:
    books = open_books()
    submit(books, command("buy", "10", name="in"))
    books.meet_print(SPY.symbol, D(100), at(1))
    submit(books, command("sell", "10", "200", name="target"))
    [rejected] = taken(close(books, last=None, cancel_orders=True))
    assert rejected.order.reason_code == "no_market_price"
    assert only(books).order.client_order_id == "target"


def test_closing_what_is_not_held_is_refused() -> None:
    refused = close(open_books())
    assert isinstance(refused, Refused)
    assert refused.code == "position_not_open"


def test_closing_sells_the_whole_position() -> None:
    books = open_books()
    submit(books, command("buy", "10", name="in"))
    books.meet_print(SPY.symbol, D(100), at(1))
    submit(books, command("sell", "4", "200", name="target"))
    cancelled, order = taken(close(books, cancel_orders=True))
    assert cancelled.order.status == "cancelled"
    assert (order.order.qty, order.order.status, order.order.closes_position) == (
        10,
        "accepted",
        True,
    )
    assert books.free_qty(SPY.symbol) == 0
