"""Orders that belong together: brackets, OTO, OCO, as the books see them."""

from shared.models.orders import StopLoss
from tests.shared.trading.groups import D, bracket, fill, holding, meet, oco, orders, told
from tests.shared.trading.support import SPY, at, open_books, submit_all, terms

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
