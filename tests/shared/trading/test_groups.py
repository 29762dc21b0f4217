"""Orders that belong together: brackets, OTO, OCO, as the books see them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.models.orders import ReplaceOrder, Side, StopLoss, SubmitOrder, TakeProfit
from shared.trading.books import Books, BooksState
from shared.trading.changes import Change, OrderChanged
from shared.trading.paper import Moment
from shared.trading.terms import Limits, Refused
from tests.shared.trading.support import (
    ACCOUNT,
    SPY,
    T0,
    at,
    command,
    open_books,
    submit,
    submit_all,
    terms,
)

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


# --- entries and their exits -----------------------------------------------------------------


def test_exits_are_held_until_their_entry_fills() -> None:
    books = open_books()
    entry, target, stop = (change.order for change in submit_all(books, bracket()))
    assert [entry.status, target.status, stop.status] == ["accepted", "held", "held"]
    assert (entry.group_role, target.group_role, stop.group_role) == (
        "entry",
        "take_profit",
        "stop_loss",
    )
    assert {entry.group_id, target.group_id, stop.group_id} == {entry.id}
    assert (target.client_order_id, stop.client_order_id) == ("a.take_profit", "a.stop_loss")
    assert (target.side, target.type, stop.side, stop.type) == ("sell", "limit", "sell", "stop")
    # Prices that exits wait for mean nothing yet.
    assert meet(books, "111") == []
    assert told(meet(books, "99")) == [
        ("a", "filled", None),
        ("a.take_profit", "accepted", None),
        ("a.stop_loss", "accepted", None),
    ]
    assert books.free_qty(SPY.symbol) == 0


def test_one_exit_cancels_the_other() -> None:
    books = open_books()
    submit_all(books, bracket())
    meet(books, "100")
    assert told(meet(books, "111")) == [
        ("a.take_profit", "filled", None),
        ("a.stop_loss", "cancelled", "other_exit_filled"),
    ]
    assert (orders(books), books.free_qty(SPY.symbol)) == ({}, 0)
    assert books.cash == books.free_cash == D(10_100)


def test_a_stop_loss_takes_the_target_along() -> None:
    books = open_books()
    submit_all(books, bracket())
    meet(books, "100")
    changes = meet(books, "94")
    assert told(changes) == [
        ("a.stop_loss", "filled", None),
        ("a.take_profit", "cancelled", "other_exit_filled"),
    ]
    assert books.cash == D(9_940)


def test_a_trailing_exit_trails_from_the_price_of_the_entry() -> None:
    books = open_books()
    order = bracket(target=None, stop=None, order_class="oto", stop_loss=StopLoss(trail_price=D(2)))
    submit_all(books, order)
    meet(books, "99")
    [stop] = [each.order for each in books.working.values()]
    assert (stop.status, stop.hwm, stop.stop_price) == ("accepted", 99, 97)
    meet(books, "103")
    assert told(meet(books, "101")) == [("a.stop_loss", "filled", None)]


def test_exits_work_for_what_the_entry_has_filled_so_far() -> None:
    books = open_books()
    submit_all(books, bracket())
    assert told(fill(books, "a", "4", "100")) == [
        ("a", "partially_filled", None),
        ("a.take_profit", "accepted", None),
        ("a.stop_loss", "accepted", None),
    ]
    assert {name: open_qty for name, (_, _, open_qty) in orders(books).items()} == {
        "a": 6,
        "a.take_profit": 4,
        "a.stop_loss": 4,
    }
    assert books.free_qty(SPY.symbol) == 0
    # The target sells those four; the stop has six left to guard, none of them bought yet.
    assert told(meet(books, "110"))[:2] == [
        ("a.take_profit", "partially_filled", None),
        ("a.stop_loss", "accepted", None),
    ]
    assert orders(books)["a.stop_loss"] == ("accepted", 6, 0)
    assert told(meet(books, "101")) == []
    fill(books, "a", "6", "100")
    assert orders(books) == {
        "a.take_profit": ("partially_filled", 10, 6),
        "a.stop_loss": ("accepted", 6, 6),
    }
    assert told(meet(books, "94")) == [
        ("a.stop_loss", "filled", None),
        ("a.take_profit", "cancelled", "other_exit_filled"),
    ]
    assert books.holdings[SPY.symbol].qty == 0
    assert books.free_cash == books.cash == D(10_000) + 4 * 10 - 6 * 6


def test_a_part_of_one_exit_is_a_part_less_for_the_other() -> None:
    books = open_books()
    submit_all(books, bracket())
    meet(books, "100")
    fill(books, "a.take_profit", "3", "110")
    assert orders(books) == {
        "a.take_profit": ("partially_filled", 10, 7),
        "a.stop_loss": ("accepted", 7, 7),
    }
    fill(books, "a.stop_loss", "2", "95")
    assert books.free_qty(SPY.symbol) == 0
    assert told(fill(books, "a.take_profit", "5", "110")) == [
        ("a.take_profit", "filled", None),
        ("a.stop_loss", "cancelled", "other_exit_filled"),
    ]
    assert (books.holdings[SPY.symbol].qty, orders(books)) == (0, {})


def test_cancelling_an_entry_cancels_the_held_exits() -> None:
    books = open_books()
    entry = submit_all(books, bracket())[0].order
    assert told(list(books.cancel(entry.id, at(1)))) == [
        ("a", "cancelled", None),
        ("a.take_profit", "cancelled", "entry_ended"),
        ("a.stop_loss", "cancelled", "entry_ended"),
    ]
    assert books.free_cash == 10_000


def test_cancelling_an_entry_that_has_filled_in_part_leaves_that_part_guarded() -> None:
    books = open_books()
    entry = submit_all(books, bracket())[0].order
    fill(books, "a", "4", "100")
    books.cancel(entry.id, at(1))
    assert orders(books) == {
        "a.take_profit": ("accepted", 4, 4),
        "a.stop_loss": ("accepted", 4, 4),
    }
    assert told(meet(books, "94"))[0] == ("a.stop_loss", "filled", None)
    assert books.holdings[SPY.symbol].qty == 0


def test_an_entry_that_ends_when_its_part_is_sold_already_ends_the_exits() -> None:
    books = open_books()
    entry = submit_all(books, bracket())[0].order
    fill(books, "a", "4", "100")
    fill(books, "a.take_profit", "4", "110")
    assert told(list(books.cancel(entry.id, at(1))))[1:] == [
        ("a.take_profit", "cancelled", "entry_ended"),
        ("a.stop_loss", "cancelled", "entry_ended"),
    ]
    assert orders(books) == {}


def test_cancelling_an_exit_takes_the_rest_of_its_group_along() -> None:
    books = open_books()
    _, target, _ = submit_all(books, bracket())
    fill(books, "a", "4", "100")
    assert told(list(books.cancel(target.order.id, at(1)))) == [
        ("a.take_profit", "cancelled", None),
        ("a", "cancelled", "group_cancelled"),
        ("a.stop_loss", "cancelled", "group_cancelled"),
    ]
    assert (books.free_qty(SPY.symbol), books.free_cash) == (4, books.cash)


def test_a_group_of_a_day_ends_with_the_day() -> None:
    books = open_books()
    submit_all(books, bracket(day=True), close=at(60))
    assert told(books.expire(at(60))) == [
        ("a", "expired", None),
        ("a.take_profit", "cancelled", "entry_ended"),
        ("a.stop_loss", "cancelled", "entry_ended"),
    ]
    submit_all(books, bracket(day=True, name="b"), close=at(90))
    meet(books, "100")
    assert told(books.expire(at(90))) == [
        ("b.take_profit", "expired", None),
        ("b.stop_loss", "expired", None),
    ]
    assert books.free_qty(SPY.symbol) == 10


def test_a_rejected_entry_is_stored_with_its_legs_and_none_works() -> None:
    books = open_books()
    changes = submit_all(books, bracket(qty="1000"))
    assert [(each.order.status, each.order.reason_code) for each in changes] == [
        ("rejected", "insufficient_buying_power")
    ] * 3
    assert books.working == {}


def test_an_entry_that_cannot_be_paid_ends_its_exits() -> None:
    books = open_books(terms("1000"))
    submit_all(books, bracket(qty="9", limit=None, target="200", stop="50"))
    assert told(meet(books, "150")) == [
        ("a", "cancelled", "insufficient_cash"),
        ("a.take_profit", "cancelled", "entry_ended"),
        ("a.stop_loss", "cancelled", "entry_ended"),
    ]


# --- OCO -------------------------------------------------------------------------------------


def test_both_exits_of_an_oco_keep_the_position_once() -> None:
    books = holding()
    target, stop = (change.order for change in submit_all(books, oco()))
    assert (target.client_order_id, target.group_role) == ("exit", "take_profit")
    assert (stop.client_order_id, stop.group_role) == ("exit.stop_loss", "stop_loss")
    assert (target.limit_price, stop.stop_price) == (110, 95)
    assert books.free_qty(SPY.symbol) == 0
    assert told(meet(books, "112"))[1] == ("exit.stop_loss", "cancelled", "other_exit_filled")
    assert books.free_qty(SPY.symbol) == 0


def test_an_oco_over_more_than_is_held_is_rejected_whole() -> None:
    books = holding()
    changes = submit_all(books, oco("11"))
    assert {each.order.reason_code for each in changes} == {"insufficient_position"}
    assert (books.working, books.free_qty(SPY.symbol)) == ({}, 10)


def test_a_print_that_meets_both_exits_fills_one() -> None:
    books = holding()
    stop = StopLoss(stop_price=D(95), limit_price=D(105))
    submit_all(books, oco(stop_loss=stop))
    meet(books, "94")  # The stop is triggered and rests at 105.
    assert told(meet(books, "111")) == [
        ("exit", "filled", None),
        ("exit.stop_loss", "cancelled", "other_exit_filled"),
    ]
    assert books.holdings[SPY.symbol].qty == 0


def test_closing_a_position_counts_a_group_once() -> None:
    books = holding()
    submit_all(books, oco())
    kept = books.free_cash
    assert len(books.cancel_all(SPY.symbol, at(2))) == 2
    assert (books.free_qty(SPY.symbol), books.free_cash) == (10, kept)


# --- replacing -------------------------------------------------------------------------------


def test_a_leg_that_is_replaced_stays_in_its_group() -> None:
    books = holding()
    submit_all(books, oco())
    done = replace(books, "exit.stop_loss", stop_price="97")
    assert not isinstance(done, Refused)
    new = done[-1].order
    assert (new.group_role, new.stop_price, new.order_class) == ("stop_loss", 97, "oco")
    assert books.free_qty(SPY.symbol) == 0
    assert told(meet(books, "96.5")) == [
        ("exit.stop_loss-new", "filled", None),
        ("exit", "cancelled", "other_exit_filled"),
    ]


def test_a_held_leg_that_is_replaced_stays_held() -> None:
    books = open_books()
    submit_all(books, bracket())
    done = replace(books, "a.take_profit", limit_price="120")
    assert not isinstance(done, Refused)
    assert orders(books)["a.take_profit-new"] == ("held", 10, 0)
    meet(books, "100")
    assert orders(books)["a.take_profit-new"] == ("accepted", 10, 10)
    assert told(meet(books, "115")) == []
    assert told(meet(books, "120"))[0] == ("a.take_profit-new", "filled", None)


def test_exits_follow_the_quantity_of_a_replaced_entry() -> None:
    books = open_books()
    submit_all(books, bracket())
    done = replace(books, "a", qty="6", limit_price="99")
    assert not isinstance(done, Refused)
    assert told(list(done)) == [
        ("a", "replaced", None),
        ("a.take_profit", "held", None),
        ("a.stop_loss", "held", None),
        ("a-new", "accepted", None),
    ]
    assert told(meet(books, "99"))[0] == ("a-new", "filled", None)
    assert orders(books) == {
        "a.take_profit": ("accepted", 6, 6),
        "a.stop_loss": ("accepted", 6, 6),
    }


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("a.take_profit", {"qty": "5"}, "qty_follows_group"),
        ("a.take_profit", {"limit_price": "94"}, "exit_on_wrong_side"),
        ("a.stop_loss", {"stop_price": "101"}, "exit_on_wrong_side"),
        ("a", {"limit_price": "111"}, "exit_on_wrong_side"),
    ],
)
def test_a_replacement_that_breaks_the_group_is_refused(
    name: str, changes: dict[str, str], code: str
) -> None:
    books = open_books()
    submit_all(books, bracket())
    before = orders(books)
    refused = replace(books, name, **changes)
    assert isinstance(refused, Refused)
    assert (refused.code, orders(books)) == (code, before)


def test_a_stop_may_follow_the_market_beyond_the_entry_that_has_filled() -> None:
    books = open_books()
    submit_all(books, bracket())
    meet(books, "100")
    assert not isinstance(replace(books, "a.stop_loss", stop_price="105"), Refused)


# --- restarts --------------------------------------------------------------------------------


@pytest.mark.parametrize("filled", ["0", "4", "10"])
def test_a_group_goes_on_after_a_restart_where_it_was(filled: str) -> None:
    books = open_books()
    submit_all(books, bracket())
    if D(filled):
        fill(books, "a", filled, "100")
    again = reopened(books)
    assert orders(again) == orders(books)
    assert (again.free_cash, again.free_qty(SPY.symbol)) == (
        books.free_cash,
        books.free_qty(SPY.symbol),
    )
    for price in ("100", "111"):
        assert told(meet(again, price)) == told(meet(books, price))
    assert again.cash == books.cash


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (bracket(order_class="simple"), "legs_not_allowed"),
        (bracket(order_class="oto"), "legs_ambiguous"),
        (bracket(order_class="oto", take_profit=None, stop_loss=None), "legs_missing"),
        (bracket(order_class="bracket", stop_loss=None), "stop_loss_missing"),
        (bracket(order_class="bracket", take_profit=None), "take_profit_missing"),
        (bracket(order_class="oco"), "limit_price_not_allowed"),
        (bracket(limit=None, order_class="oco"), "order_type_not_allowed"),
        (bracket(time_in_force="ioc"), "time_in_force_not_allowed"),
        (bracket(name="x" * 117), "invalid_client_order_id"),
        (bracket(target="100"), "exit_on_wrong_side"),
        (bracket(stop="100"), "exit_on_wrong_side"),
        (bracket(limit=None, stop="110", target="110"), "exit_on_wrong_side"),
        (bracket("sell"), "exit_on_wrong_side"),
        (bracket(target="110.001"), "limit_price_not_on_tick"),
        (bracket(stop="0"), "invalid_stop_price"),
        (bracket(target="NaN"), "invalid_limit_price"),
        (bracket(stop_loss=StopLoss()), "stop_price_missing"),
        (bracket(stop_loss=StopLoss(trail_price=D(1), stop_price=D(1))), "stop_price_not_allowed"),
        (bracket(stop_loss=StopLoss(trail_price=D(1), trail_percent=D(1))), "trail_ambiguous"),
        (bracket(stop_loss=StopLoss(trail_percent=D(100))), "invalid_trail_percent"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused_and_changes_nothing(
    order: SubmitOrder, code: str
) -> None:
    books = open_books()
    refused = books.submit(order, SPY, D(100), T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert (refused.code, books.working, books.free_cash) == (code, {}, 10_000)


def test_an_entry_to_sell_has_exits_to_buy() -> None:
    books = holding()
    order = bracket("sell", limit="105", target="90", stop="108")
    entry, target, stop = (change.order for change in submit_all(books, order))
    assert [each.side for each in (entry, target, stop)] == ["sell", "buy", "buy"]
    meet(books, "105")
    assert books.free_cash < books.cash
    assert told(meet(books, "90")) == [
        ("a.take_profit", "filled", None),
        ("a.stop_loss", "cancelled", "other_exit_filled"),
    ]
    assert books.free_cash == books.cash
