"""Orders that belong together: replaced, restarted, refused."""

import pytest

from shared.models.orders import StopLoss, SubmitOrder
from shared.trading.terms import Refused
from tests.shared.trading.groups import (
    D,
    bracket,
    fill,
    holding,
    meet,
    oco,
    orders,
    reopened,
    replace,
    told,
)
from tests.shared.trading.support import SPY, T0, open_books, submit_all

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
