"""Fills from quotes: who takes from them, at which price, and how much."""

import math
from decimal import Decimal

import pytest

from shared.models.orders import StopLoss, TakeProfit
from shared.trading.books import Books
from shared.trading.changes import OrderChanged, OrderFilled
from shared.trading.commissions import NoCommission
from shared.trading.paper_terms import FREE, PaperTerms
from shared.trading.quotes import FRESH_NS, Quote, Touch
from shared.trading.slippage import BpsSlippage, NoSlippage, SpreadSlippage
from tests.shared.trading.support import SPY, at, command, open_books, submit, submit_all, terms

D = Decimal
SYMBOL = SPY.symbol
Fill = tuple[D, D]


def touch(bid: str, ask: str, bid_size: str = "100", ask_size: str = "100") -> Touch:
    return Touch(D(bid), D(ask), D(bid_size), D(ask_size))


def books_with(paper: PaperTerms = FREE) -> Books:
    return open_books(terms(capital="100000", paper=paper))


def holding(books: Books, qty: str = "100") -> Books:
    submit(books, command("buy", qty, name="first"))
    books.meet_print(SYMBOL, D(100), at(0))
    return books


def quoted(books: Books, its: Touch, second: int = 1) -> list[Fill]:
    return fills(books.meet_quote(SYMBOL, its, at(second)))


def printed(
    books: Books, price: str, its: Touch | None = None, size: str | None = None
) -> list[Fill]:
    return fills(books.meet_print(SYMBOL, D(price), at(2), size and D(size), its))


def fills(changes: list) -> list[Fill]:  # type: ignore[type-arg]
    return [
        (each.execution.qty, each.execution.price)
        for each in changes
        if isinstance(each, OrderFilled)
    ]


def test_a_market_order_takes_the_other_side_of_the_first_quote() -> None:
    books = books_with()
    submit(books, command("buy", "10"))
    assert quoted(books, touch("99.98", "100.03")) == [(D(10), D("100.03"))]
    submit(books, command("sell", "10", name="b"))
    assert quoted(books, touch("99.97", "100.05")) == [(D(10), D("99.97"))]


def test_a_market_order_takes_the_quote_that_stands_when_a_print_comes_first() -> None:
    books = books_with()
    submit(books, command("buy", "10"))
    assert printed(books, "99.98", touch("99.98", "100.03")) == [(D(10), D("100.03"))]


def test_a_marketable_limit_takes_the_quote_and_never_passes_its_limit() -> None:
    books = books_with(PaperTerms(NoCommission(), BpsSlippage(D(10))))
    submit(books, command("buy", "10", "100.05"))
    assert quoted(books, touch("99.98", "100.00")) == [(D(10), D("100.05"))]
    submit(books, command("buy", "10", "101", name="b"))
    assert quoted(books, touch("99.98", "100.00")) == [(D(10), D("100.10"))]


def test_a_marketable_limit_takes_the_quote_although_the_print_is_beyond_its_limit() -> None:
    books = books_with()
    submit(books, command("buy", "10", "100.05"))
    assert printed(books, "100.20", touch("99.98", "100.03")) == [(D(10), D("100.03"))]


def test_a_limit_that_is_not_marketable_rests_and_a_print_at_it_fills_it_there() -> None:
    books = books_with(PaperTerms(NoCommission(), BpsSlippage(D(10))))
    submit(books, command("buy", "10", "100"))
    assert printed(books, "100.01", touch("99.99", "100.02")) == []
    assert printed(books, "99.99", touch("99.99", "100.02")) == [(D(10), D(100))]
    submit(books, command("buy", "10", "100", name="b"))
    assert printed(books, "99.99", touch("99.99", "100.02")) == [(D(10), D(100))]


@pytest.mark.parametrize(
    ("price", "size", "its", "expected"),
    [
        # As much is shown at the limit as is traded there.
        ("100", "60", touch("100", "100.02", "60"), []),
        ("100", None, touch("100", "100.02", "60"), []),
        ("100", "80", touch("100", "100.02", "60"), [(D(10), D(100))]),
        # Nobody is before it: it is the best, or the print goes on beyond its limit.
        ("100", "1", touch("99.99", "100.02", "60"), [(D(10), D(100))]),
        ("99.99", "1", touch("100", "100.02", "60"), [(D(10), D(100))]),
        # All who bid more are before it.
        ("100", "1000", touch("100.01", "100.02", "60"), []),
    ],
)
def test_a_print_at_its_limit_fills_a_resting_order_with_what_is_left_behind_the_queue(
    price: str, size: str | None, its: Touch, expected: list[Fill]
) -> None:
    books = books_with()
    submit(books, command("buy", "10", "100"))
    assert quoted(books, touch("100", "100.02")) == []
    assert printed(books, price, its, size) == expected


def test_participation_is_of_what_is_left_behind_the_queue() -> None:
    books = holding(books_with(PaperTerms(NoCommission(), NoSlippage(), D(50))))
    submit(books, command("sell", "30", "101", name="b"))
    assert printed(books, "101", touch("100.98", "101", "9", "40"), "60") == [(D(10), D(101))]
    assert printed(books, "101.01", touch("100.98", "101", "9", "40"), "60") == [(D(20), D(101))]


def test_a_resting_limit_fills_at_its_limit_when_the_quote_comes_to_it() -> None:
    books = books_with()
    submit(books, command("buy", "10", "100"))
    assert quoted(books, touch("99.98", "100.01")) == []
    assert quoted(books, touch("99.90", "99.95"), 2) == [(D(10), D(100))]
    holding(books)
    submit(books, command("sell", "10", "101", name="b"))
    assert quoted(books, touch("100.90", "100.95")) == []
    assert quoted(books, touch("101", "101.10")) == [(D(10), D(101))]


def test_a_stop_is_triggered_by_prints_alone_and_then_takes_the_quote() -> None:
    books = holding(books_with())
    submit(books, command("sell", "10", order_type="stop", stop_price="99"))
    assert quoted(books, touch("98.50", "98.60")) == []
    assert printed(books, "99.10", touch("98.50", "98.60")) == []
    assert printed(books, "99", touch("98.50", "98.60")) == [(D(10), D("98.50"))]


def test_a_quote_never_moves_a_trailing_stop() -> None:
    books = holding(books_with())
    submit(books, command("sell", "10", order_type="trailing_stop", trail_price="1"))
    assert books.meet_quote(SYMBOL, touch("105", "106"), at(1)) == []
    assert next(iter(books.working.values())).order.stop_price == D(99)


def test_at_once_orders_meet_the_first_quote() -> None:
    books = books_with()
    for name, kind in (("a", "ioc"), ("b", "fok")):
        submit(books, command("buy", "10", "99", name=name, time_in_force=kind))
    changes = books.meet_quote(SYMBOL, touch("99.98", "100.01"), at(1))
    assert [each.order.reason_code for each in changes if isinstance(each, OrderChanged)] == [
        "not_filled_at_once",
        "not_filled_at_once",
    ]


def test_participation_takes_a_share_of_what_is_shown_once_and_then_of_prints() -> None:
    books = books_with(PaperTerms(NoCommission(), NoSlippage(), D(10)))
    submit(books, command("buy", "30"))
    submit(books, command("buy", "5", name="b"))
    assert quoted(books, touch("99.98", "100.01", ask_size="100")) == [(D(10), D("100.01"))]
    assert quoted(books, touch("99.98", "100.01", ask_size="100"), 2) == [(D(5), D("100.01"))]
    its = touch("99.98", "100.02")
    assert printed(books, "100", its, size="150") == [(D(15), D("100.02"))]
    assert printed(books, "100", its, size="500") == [(D(5), D("100.02"))]


def test_slippage_is_on_top_of_the_quote_and_may_be_a_share_of_the_spread() -> None:
    books = books_with(PaperTerms(NoCommission(), SpreadSlippage(D(50))))
    submit(books, command("buy", "10"))
    assert quoted(books, touch("100.00", "100.10")) == [(D(10), D("100.15"))]
    submit(books, command("sell", "10", name="b"))
    assert quoted(books, touch("100.00", "100.10")) == [(D(10), D("99.95"))]
    submit(books, command("buy", "10", name="c"))
    assert printed(books, "100") == [(D(10), D(100))], "without a quote there is no spread"


def test_an_amount_buys_what_it_comes_to_at_the_ask() -> None:
    books = books_with()
    submit(books, command("buy", "0", notional=D(1000)))
    assert quoted(books, touch("99", "110")) == [(D(9), D(110))]


def test_the_entrys_quote_does_not_fill_its_exits() -> None:
    books = books_with()
    submit_all(
        books,
        command(
            "buy",
            "10",
            order_class="bracket",
            take_profit=TakeProfit(limit_price=D(101)),
            stop_loss=StopLoss(stop_price=D(95)),
        ),
    )
    assert quoted(books, touch("101.50", "101.60")) == [(D(10), D("101.60"))]
    assert quoted(books, touch("101.50", "101.60"), 2) == [(D(10), D(101))]


@pytest.mark.parametrize(
    ("quote", "counts"),
    [
        (Quote(99.0, 100.0, 1, 1, 0), True),
        (Quote(100.0, 100.0, 0, 0, 0), True),
        (Quote(100.01, 100.0, 1, 1, 0), False),
        (Quote(0.0, 100.0, 0, 1, 0), False),
        (Quote(99.0, 0.0, 1, 0, 0), False),
        (Quote(math.nan, 100.0, 1, 1, 0), False),
        (Quote(99.0, math.inf, 1, 1, 0), False),
        (Quote(99.0, 100.0, math.nan, 1, 0), False),
        (Quote(99.0, 100.0, -1, 1, 0), False),
    ],
)
def test_a_quote_counts_with_both_sides_uncrossed(quote: Quote, counts: bool) -> None:
    assert quote.counts is counts


def test_an_old_quote_is_not_taken_from() -> None:
    quote = Quote(99.0, 100.5, 3, 4, 1000)
    assert quote.touch_at(1000 + FRESH_NS) == Touch(D("99.0"), D("100.5"), D("3.0"), D("4.0"))
    assert quote.touch_at(1001 + FRESH_NS) is None
