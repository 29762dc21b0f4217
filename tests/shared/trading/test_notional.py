"""Orders for an amount of money."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.models.orders import SubmitOrder
from shared.trading.books import Books
from shared.trading.changes import Change
from shared.trading.terms import Instrument, Refused
from tests.shared.trading.groups import replace, told
from tests.shared.trading.support import SPY, T0, at, command, open_books, submit, terms

D = Decimal
BTC = msgspec.structs.replace(SPY, lot_size=D("0.001"))


def amount(notional: str, side: Any = "buy", name: str = "a", **more: Any) -> SubmitOrder:
    return command(side, "0", name=name, notional=D(notional), **more)


def meet(books: Books, price: str) -> list[Change]:
    return books.meet_print(SPY.symbol, D(price), at(1))


@pytest.mark.parametrize(
    ("instrument", "expected", "filled"),
    [(SPY, "10", "9"), (BTC, "10", "9.523")],
    ids=["whole lots", "thousandths"],
)
def test_the_price_of_the_fill_decides_the_quantity(
    instrument: Instrument, expected: str, filled: str
) -> None:
    books = open_books()
    order = submit(books, amount("1000"), instrument=instrument).order
    assert (order.status, order.qty, order.notional) == ("accepted", D(expected), 1000)
    [fill] = meet(books, "105")
    assert fill.order.status == "filled"  # type: ignore[union-attr]
    assert books.holdings[SPY.symbol].qty == D(filled)
    assert D(10_000) - D(1000) <= books.cash == D(10_000) - D(filled) * 105
    assert books.free_cash == books.cash


def test_a_lower_price_buys_more_and_slippage_is_within_the_amount() -> None:
    books = open_books(terms(slippage_bps="100"))
    submit(books, amount("1000"), instrument=BTC)
    meet(books, "50")
    assert books.holdings[SPY.symbol].qty == D("19.801")
    assert books.cash == D(10_000) - D("19.801") * D("50.5")


def test_a_sale_for_an_amount_sells_what_is_worth_it() -> None:
    books = open_books()
    submit(books, command("buy", "10", name="in"))
    meet(books, "100")
    submit(books, amount("500", "sell"))
    assert books.free_qty(SPY.symbol) == 5
    assert told(meet(books, "125")) == [("a", "filled", None)]
    assert (books.holdings[SPY.symbol].qty, books.free_qty(SPY.symbol)) == (6, 6)


def test_a_price_beyond_the_amount_cancels_it() -> None:
    books = open_books()
    submit(books, amount("150"))
    assert told(meet(books, "151")) == [("a", "cancelled", "notional_below_lot")]
    assert books.free_cash == 10_000


def test_an_order_for_an_amount_is_not_replaced() -> None:
    books = open_books()
    submit(books, amount("1000"))
    refused = replace(books, "a", qty="5")
    assert isinstance(refused, Refused)
    assert refused.code == "notional_not_replaceable"


def test_an_amount_beyond_the_cash_is_rejected() -> None:
    order = submit(open_books(), amount("10001")).order
    assert (order.status, order.reason_code) == ("rejected", "insufficient_buying_power")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (amount("0"), "invalid_notional"),
        (amount("-5"), "invalid_notional"),
        (amount("NaN"), "invalid_notional"),
        (amount("1e13"), "notional_too_large"),
        (amount("10.001"), "notional_not_in_cents"),
        (amount("99.99"), "notional_below_lot"),
        (amount("1000", order_type="limit", limit_price=D(5)), "notional_not_allowed"),
        (amount("1000", order_type="stop", stop_price="5"), "notional_not_allowed"),
        (command("buy", "1", notional=D(5)), "qty_ambiguous"),
        (command("buy", "0"), "invalid_qty"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(order: SubmitOrder, code: str) -> None:
    books = open_books()
    refused = books.submit(order, SPY, D(100), T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert (refused.code, books.working) == (code, {})


def test_an_amount_needs_a_price() -> None:
    refused = open_books().submit(amount("100"), SPY, None, T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert refused.code == "no_market_price"
