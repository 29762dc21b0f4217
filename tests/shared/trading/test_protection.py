"""Exits that follow a position, and closing a part of one."""

from decimal import Decimal
from typing import Any

import pytest

from shared.models.orders import ClosePositions, ProtectionStop, ProtectionTarget, ProtectPosition
from shared.trading.books import Books
from shared.trading.changes import OrderChanged
from shared.trading.terms import Instrument, Refused
from tests.shared.trading.groups import holding, meet, orders, reopened, replace, told
from tests.shared.trading.support import ACCOUNT, SPY, at, command, open_books, submit

D = Decimal


def target(**ways: str) -> ProtectionTarget:
    return ProtectionTarget(**{key: D(value) for key, value in ways.items()})


def stop(**ways: str) -> ProtectionStop:
    return ProtectionStop(**{key: D(value) for key, value in ways.items()})


def protect(
    books: Books,
    name: str = "p",
    last: str | None = "100",
    instrument: Instrument = SPY,
    **exits: Any,
) -> Refused | list[OrderChanged]:
    order = ProtectPosition(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id=name,
        submitted_by="user:1",
        symbol=SPY.symbol,
        **exits,
    )
    return books.protect(order, instrument, None if last is None else D(last), at(2), "2-0")


def guarded(qty: str = "10") -> Books:
    """A position bought at 100, out at 105 or 98."""
    books = holding(qty)
    done = protect(books, take_profit=target(percent="5"), stop_loss=stop(percent="2"))
    assert not isinstance(done, Refused), done
    return books


def close(books: Books, **more: str) -> Refused | list[OrderChanged]:
    order = ClosePositions(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id=f"out-{len(more)}-{sorted(more.values())}",
        submitted_by="user:1",
        symbol=SPY.symbol,
        **{key: D(value) for key, value in more.items()},
    )
    return books.close(SPY.symbol, order, SPY, D(100), at(3), "2-0")


def prices(books: Books) -> dict[str | None, Decimal | None]:
    return {
        each.order.group_role: each.order.limit_price or each.order.stop_price
        for each in books.working.values()
    }


def test_percents_are_of_the_average_price() -> None:
    assert prices(guarded()) == {"take_profit": 105, "stop_loss": 98}


def test_a_price_by_percent_is_on_the_tick_and_not_nearer() -> None:
    books = open_books()
    submit(books, command("buy", "10", name="in"))
    meet(books, "99.99")
    protect(books, take_profit=target(percent="0.1"), stop_loss=stop(percent="0.1"))
    assert prices(books) == {"take_profit": D("100.09"), "stop_loss": D("99.89")}


def test_a_protected_position_can_be_sold_otherwise_and_its_protection_shrinks() -> None:
    books = guarded()
    assert books.free_qty(SPY.symbol) == 10
    submit(books, command("sell", "4", name="less"))
    assert told(meet(books, "101")) == [
        ("less", "filled", None),
        ("p", "accepted", None),
        ("p.stop_loss", "accepted", None),
    ]
    assert {qty for _, qty, _ in orders(books).values()} == {6}
    assert told(meet(books, "97")) == [
        ("p.stop_loss", "filled", None),
        ("p", "cancelled", "position_closed"),
    ]
    assert books.holdings[SPY.symbol].qty == 0


def test_protection_grows_with_the_position_and_keeps_its_prices() -> None:
    books = guarded()
    submit(books, command("buy", "5", name="more"))
    meet(books, "103")
    assert {qty for _, qty, _ in orders(books).values()} == {15}
    assert prices(books) == {"take_profit": 105, "stop_loss": 98}
    assert told(meet(books, "105"))[0] == ("p", "filled", None)
    assert (books.holdings[SPY.symbol].qty, orders(books)) == (0, {})


def test_protection_ends_with_the_position() -> None:
    books = guarded()
    submit(books, command("sell", "10", name="all"))
    assert told(meet(books, "100"))[1:] == [
        ("p", "cancelled", "position_closed"),
        ("p.stop_loss", "cancelled", "position_closed"),
    ]
    # A new position is not protected by what protected the old one.
    submit(books, command("buy", "1", name="again"))
    assert told(meet(books, "97")) == [("again", "filled", None)]


def test_a_print_that_fills_a_sale_and_reaches_the_stop_never_sells_twice() -> None:
    books = guarded()
    submit(books, command("sell", "10", name="all"))
    assert [status for _, status, _ in told(meet(books, "97"))].count("filled") == 1
    assert (books.holdings[SPY.symbol].qty, books.working) == (0, {})


def test_protecting_anew_takes_the_place_of_what_was_there() -> None:
    books = guarded()
    done = protect(books, "q", stop_loss=stop(trail_percent="1.5"))
    assert not isinstance(done, Refused)
    assert told(list(done)) == [
        ("p", "cancelled", "protection_replaced"),
        ("p.stop_loss", "cancelled", "protection_replaced"),
        ("q", "accepted", None),
    ]
    [trailing] = [each.order for each in books.working.values()]
    assert (trailing.hwm, trailing.stop_price, trailing.order_class) == (100, D("98.5"), "simple")
    meet(books, "110")
    assert told(meet(books, "108.35")) == [("q", "filled", None)]


def test_an_exit_of_a_protection_can_be_moved_while_other_sells_work() -> None:
    books = guarded()
    submit(books, command("sell", "10", "200", name="high"))
    done = replace(books, "p.stop_loss", stop_price="99")
    assert not isinstance(done, Refused)
    assert done[-1].order.protects_position
    assert told(meet(books, "98.5")) == [
        ("p.stop_loss-new", "filled", None),
        ("p", "cancelled", "position_closed"),
    ]


def test_cancelling_one_exit_lets_the_position_go() -> None:
    books = guarded()
    first = next(iter(books.working))
    assert len(books.cancel(first, at(3))) == 2
    assert (orders(books), meet(books, "90")) == ({}, [])


def test_protection_goes_on_after_a_restart() -> None:
    books = reopened(guarded())
    submit(books, command("buy", "5", name="more"))
    meet(books, "100")
    assert {qty for _, qty, _ in orders(books).values()} == {15}
    assert told(meet(books, "98"))[0] == ("p.stop_loss", "filled", None)
    assert (books.holdings[SPY.symbol].qty, orders(books)) == (0, {})


@pytest.mark.parametrize(
    ("exits", "code"),
    [
        ({}, "protection_empty"),
        ({"stop_loss": stop()}, "protection_ambiguous"),
        ({"take_profit": target(percent="1", limit_price="105")}, "protection_ambiguous"),
        ({"stop_loss": stop(percent="0")}, "protection_percent_out_of_range"),
        ({"stop_loss": stop(percent="10.1")}, "protection_percent_out_of_range"),
        ({"stop_loss": stop(trail_percent="NaN")}, "protection_percent_out_of_range"),
        ({"take_profit": target(percent="1.55")}, "protection_percent_not_in_steps"),
        ({"take_profit": target(limit_price="-1")}, "invalid_limit_price"),
        ({"stop_loss": stop(stop_price="95.005")}, "stop_price_not_on_tick"),
        (
            {"take_profit": target(limit_price="95"), "stop_loss": stop(stop_price="96")},
            "exit_on_wrong_side",
        ),
    ],
)
def test_a_protection_that_makes_no_sense_is_refused_and_the_old_one_works_on(
    exits: dict[str, Any], code: str
) -> None:
    books = guarded()
    before = orders(books)
    refused = protect(books, "q", **exits)
    assert isinstance(refused, Refused)
    assert (refused.code, orders(books)) == (code, before)


def test_what_is_not_held_or_has_no_price_is_not_protected() -> None:
    flat = protect(open_books(), stop_loss=stop(percent="1"))
    assert isinstance(flat, Refused)
    assert flat.code == "position_not_open"
    unpriced = protect(holding(), last=None, stop_loss=stop(trail_percent="1"))
    assert isinstance(unpriced, Refused)
    assert unpriced.code == "no_market_price"


@pytest.mark.parametrize(
    ("part", "qty"), [({"qty": "3"}, 3), ({"percent": "50"}, 5), ({"percent": "39.9"}, 3)]
)
def test_a_part_of_a_position_is_closed(part: dict[str, str], qty: int) -> None:
    books = guarded()
    done = close(books, **part)
    assert not isinstance(done, Refused)
    assert (done[-1].order.qty, done[-1].order.closes_position) == (qty, True)
    meet(books, "100")
    assert books.holdings[SPY.symbol].qty == 10 - qty
    assert {each for _, each, _ in orders(books).values()} == {D(10 - qty)}


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"qty": "11"}, "qty_exceeds_position"),
        ({"qty": "0"}, "invalid_qty"),
        ({"qty": "0.5"}, "qty_not_in_lots"),
        ({"qty": "NaN"}, "invalid_qty"),
        ({"percent": "0"}, "invalid_percent"),
        ({"percent": "100.1"}, "invalid_percent"),
        ({"percent": "NaN"}, "invalid_percent"),
        ({"percent": "9"}, "qty_below_lot"),
        ({"percent": "50", "qty": "5"}, "qty_ambiguous"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(part: dict[str, str], code: str) -> None:
    books = guarded()
    before = orders(books)
    refused = close(books, **part)
    assert isinstance(refused, Refused)
    assert (refused.code, orders(books)) == (code, before)
