"""Stops: what triggers them, where they fill, what they reserve."""

from decimal import Decimal
from typing import Any

import pytest

from shared.models.orders import Order
from shared.trading.books import Books
from shared.trading.changes import Change, OrderChanged, OrderFilled, OrderMoved
from shared.trading.terms import AccountTerms, Refused
from tests.shared.trading.support import SPY, T0, at, command, open_books, submit, terms

D = Decimal


def meet(books: Books, price: str, seconds: int = 1) -> list[Change]:
    return books.meet_print(SPY.symbol, D(price), at(seconds))


def books_holding(qty: str, account: AccountTerms | None = None) -> Books:
    books = open_books(account)
    submit(books, command("buy", qty, name="first"))
    meet(books, "100")
    return books


def stop(side: Any, qty: str = "1", **more: Any) -> Any:
    kind = "stop" if "limit" not in more else "stop_limit"
    return command(side, qty, more.pop("limit", None), order_type=kind, **more)


def trailing(side: Any, qty: str = "1", **more: Any) -> Any:
    return command(side, qty, order_type="trailing_stop", **more)


def only_working(books: Books) -> Order:
    [working] = books.working.values()
    return working.order


@pytest.mark.parametrize(
    ("side", "prints", "slippage_bps", "expected"),
    [
        ("sell", ["96", "95"], "0", "95"),  # at the stop
        ("sell", ["95.01", "90"], "0", "90"),  # through it: at the print, not at the stop
        ("sell", ["90"], "100", "89.1"),
        ("buy", ["104", "105"], "0", "105"),
        ("buy", ["104.99", "120"], "0", "120"),
        ("buy", ["110"], "100", "111.1"),
    ],
)
def test_a_stop_fills_like_a_market_order_at_the_print_that_triggers_it(
    side: str, prints: list[str], slippage_bps: str, expected: str
) -> None:
    books = books_holding("1", terms(slippage_bps=slippage_bps))
    submit(books, stop(side, stop_price="95" if side == "sell" else "105"))
    for price in prints[:-1]:
        assert meet(books, price) == []
    [filled] = meet(books, prints[-1], 7)
    assert isinstance(filled, OrderFilled)
    assert filled.execution.price == D(expected)
    assert [(step.from_status, step.to_status) for step in filled.transitions] == [
        ("accepted", "accepted"),
        ("accepted", "filled"),
    ]
    assert filled.order.triggered_at == at(7)


@pytest.mark.parametrize(
    ("limit", "prints", "expected"),
    [
        ("106", ["105"], "105"),  # it fills where it was triggered
        ("106", ["105.5", "90"], "105.5"),
        ("105.20", ["105"], "105.20"),  # slipped, never beyond the limit
        ("106", ["107", "106.5", "103"], "106"),  # it rests, then fills at its limit
        ("104", ["105", "104.01", "104"], "104"),
    ],
)
def test_a_triggered_stop_limit_is_a_limit_order(
    limit: str, prints: list[str], expected: str
) -> None:
    slippage = "50" if limit == "105.20" else "0"
    books = open_books(terms(slippage_bps=slippage))
    submit(books, stop("buy", stop_price="105", limit=limit))
    assert meet(books, "103") == []  # through the limit, but it is no limit order yet
    fills = [change for price in prints for change in meet(books, price)]
    filled = fills[-1]
    assert isinstance(filled, OrderFilled)
    assert filled.execution.price == D(expected)


def test_a_stop_limit_that_rests_after_its_trigger_tells_so_once() -> None:
    books = open_books()
    submit(books, stop("buy", stop_price="105", limit="106"))
    [told] = meet(books, "107", 3)
    assert isinstance(told, OrderChanged)
    assert (told.order.status, told.order.triggered_at) == ("accepted", at(3))
    assert [step.to_status for step in told.transitions] == ["accepted"]
    assert meet(books, "108") == []


def test_a_triggered_stop_limit_stays_triggered_in_a_new_run() -> None:
    books = open_books()
    submit(books, stop("buy", stop_price="105", limit="106"))
    meet(books, "107")
    assert books.forget_prints() == []
    [filled] = meet(books, "90")
    assert isinstance(filled, OrderFilled)
    assert filled.execution.price == 90  # its first print of the run


@pytest.mark.parametrize(
    ("side", "trail", "prints", "stops"),
    [
        ("sell", {"trail_price": "2"}, ["99", "101", "100", "103.5"], ["98", "99", "99", "101.5"]),
        ("buy", {"trail_price": "2"}, ["101", "99", "100", "95"], ["102", "101", "101", "97"]),
        # 1 % away, to the tick that is not nearer.
        ("sell", {"trail_percent": "1"}, ["100", "100.55"], ["99", "99.54"]),
        ("buy", {"trail_percent": "1"}, ["99.55"], ["100.55"]),
        # Never below a tick.
        ("sell", {"trail_price": "500"}, ["101"], ["0.01"]),
    ],
)
def test_a_trailing_stop_follows_the_best_print_and_never_turns_back(
    side: str, trail: dict[str, str], prints: list[str], stops: list[str]
) -> None:
    books = books_holding("1")
    submit(books, trailing(side, **trail), last="100")
    seen = []
    for price in prints:
        for change in meet(books, price):
            assert isinstance(change, OrderMoved)
        seen.append(only_working(books).stop_price)
    assert seen == [D(each) for each in stops]


def test_a_trailing_stop_begins_at_the_last_price_and_fills_at_the_print_through_it() -> None:
    books = books_holding("1")
    taken = submit(books, trailing("sell", trail_percent="5"), last="100").order
    assert (taken.hwm, taken.stop_price) == (D(100), D(95))
    assert [type(each) for each in meet(books, "110")] == [OrderMoved]
    [filled] = meet(books, "104")
    assert isinstance(filled, OrderFilled)
    assert (filled.execution.price, filled.order.hwm) == (D(104), D(110))
    assert filled.order.stop_price == D("104.5")


def test_in_a_new_run_a_trailing_stop_begins_at_the_first_print() -> None:
    books = books_holding("1")
    submit(books, trailing("sell", trail_price="1"), last="100")
    [forgotten] = books.forget_prints()
    assert isinstance(forgotten, OrderMoved)
    assert (forgotten.order.hwm, forgotten.order.stop_price) == (None, None)
    assert books.forget_prints() == []
    [moved] = meet(books, "20")
    assert isinstance(moved, OrderMoved)
    assert moved.order.stop_price == 19


def test_a_price_between_mark_and_stop_does_not_wake_the_books() -> None:
    books = books_holding("1")
    submit(books, trailing("sell", trail_price="2"), last="100")
    reach = books.reach(SPY.symbol)
    assert not reach.takes_in(100.0)
    assert not reach.takes_in(98.01)
    assert reach.takes_in(100.00000001)
    assert reach.takes_in(98.0)


# --- reservations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "last", "reserved"),
    [
        (stop("buy", "10", stop_price="110"), "100", "1111"),
        (stop("buy", "10", stop_price="110"), None, "1111"),
        (stop("buy", "10", stop_price="90"), "100", "1010"),  # beyond its stop already
        (stop("buy", "10", stop_price="110", limit="112"), "100", "1120"),
        (trailing("buy", "10", trail_price="10"), "100", "1111"),
        (stop("sell", "1", stop_price="90"), "100", "0"),
    ],
)
def test_a_stop_reserves_what_it_most_likely_costs_at_worst(
    order: Any, last: str | None, reserved: str
) -> None:
    books = books_holding("1")
    free = books.free_cash
    taken = submit(books, order, last)
    assert taken.order.status == "accepted"
    assert free - books.free_cash == D(reserved)


def test_a_stop_to_sell_counts_against_the_position() -> None:
    books = books_holding("10")
    submit(books, stop("sell", "6", stop_price="90", name="stop"))
    assert submit(books, trailing("sell", "5", trail_price="1", name="b")).order.reason_code == (
        "insufficient_position"
    )
    assert submit(books, trailing("sell", "4", trail_price="1", name="c")).order.status == (
        "accepted"
    )


def test_a_stop_whose_fill_would_take_cash_below_zero_is_cancelled() -> None:
    books = open_books(terms(capital="1000"))
    submit(books, stop("buy", "9", stop_price="105"))
    [ended] = meet(books, "200")
    assert isinstance(ended, OrderChanged)
    assert (ended.order.status, ended.order.reason_code) == ("cancelled", "insufficient_cash")
    assert [step.to_status for step in ended.transitions] == ["accepted", "cancelled"]
    assert books.cash == books.free_cash == 1000


# --- what is wrong with it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (command("buy", "1", order_type="stop"), "stop_price_missing"),
        (command("buy", "1", "5", stop_price="5"), "stop_price_not_allowed"),
        (command("buy", "1", stop_price="5"), "stop_price_not_allowed"),
        (command("buy", "1", order_type="stop_limit", stop_price="5"), "limit_price_missing"),
        (command("buy", "1", "5", order_type="stop_limit"), "stop_price_missing"),
        (command("buy", "1", "5", order_type="stop", stop_price="5"), "limit_price_not_allowed"),
        (stop("buy", stop_price="0"), "invalid_stop_price"),
        (stop("buy", stop_price="NaN"), "invalid_stop_price"),
        (stop("buy", stop_price="1e10"), "stop_price_too_large"),
        (stop("buy", stop_price="1.005"), "stop_price_not_on_tick"),
        (stop("buy", "1e9", stop_price="1e9"), "notional_too_large"),
        (stop("buy", "1e9", stop_price="1", limit="1e9"), "notional_too_large"),
        (command("buy", "1", trail_price="1"), "trail_not_allowed"),
        (command("buy", "1", trail_percent="1"), "trail_not_allowed"),
        (trailing("buy"), "trail_missing"),
        (trailing("buy", trail_price="1", trail_percent="1"), "trail_ambiguous"),
        (trailing("buy", trail_price="1", stop_price="1"), "stop_price_not_allowed"),
        (trailing("buy", trail_price="-1"), "invalid_trail_price"),
        (trailing("buy", trail_price="1e10"), "trail_price_too_large"),
        (trailing("buy", trail_price="0.001"), "trail_price_not_on_tick"),
        (trailing("buy", trail_percent="0"), "invalid_trail_percent"),
        (trailing("buy", trail_percent="100"), "invalid_trail_percent"),
        (trailing("buy", trail_percent="NaN"), "invalid_trail_percent"),
        (trailing("buy", trail_percent="0.005"), "trail_percent_not_in_steps"),
    ],
)
def test_a_stop_that_makes_no_sense_is_refused(order: Any, code: str) -> None:
    books = open_books()
    refused = books.submit(order, SPY, D(100), T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert not books.working


def test_a_trailing_stop_without_a_price_to_trail_from_is_rejected() -> None:
    rejected = submit(open_books(), trailing("buy", trail_price="1"), last=None).order
    assert (rejected.status, rejected.reason_code) == ("rejected", "no_market_price")
    assert (rejected.hwm, rejected.stop_price) == (None, None)
