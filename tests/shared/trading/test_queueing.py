"""Where an order stands in the queue at its limit, and when it comes to the market at all."""

from decimal import Decimal
from uuid import UUID

import pytest

from shared.trading.books import Books
from shared.trading.changes import OrderMoved
from shared.trading.commissions import NoCommission
from shared.trading.paper_terms import BadPaperTermsError, PaperTerms, QueueModel, parse_paper_terms
from shared.trading.quotes import Touch
from shared.trading.slippage import NoSlippage
from tests.shared.trading.support import SPY, at, command, open_books, submit, terms
from tests.shared.trading.test_quotes import Fill, fills, touch

D = Decimal
SYMBOL = SPY.symbol
HALF = D(50)


def free(
    queue: QueueModel = "last", latency_ms: int = 0, jitter_ms: int = 0, part: Decimal = D(0)
) -> PaperTerms:
    return PaperTerms(
        NoCommission(),
        NoSlippage(),
        participation_percent=part,
        queue=queue,
        latency_ms=latency_ms,
        latency_jitter_ms=jitter_ms,
    )


def books_with(paper: PaperTerms) -> Books:
    return open_books(terms(capital="100000", paper=paper))


def printed(
    books: Books, price: str, size: str | None = None, its: Touch | None = None, second: int = 1
) -> list[Fill]:
    return fills(books.meet_print(SYMBOL, D(price), at(second), size and D(size), its))


def ahead(books: Books) -> Decimal | None:
    (working,) = books.working.values()
    return working.order.queue_ahead


# --- the queue ---------------------------------------------------------------------------------


def test_an_order_joins_behind_what_the_quote_shows_and_prints_there_eat_the_queue_first() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    quote = touch("100", "100.05", "300")
    (moved,) = books.meet_quote(SYMBOL, quote, at(1))
    assert isinstance(moved, OrderMoved)
    assert moved.order.queue_ahead == 300
    assert printed(books, "100", "200", quote) == []
    assert ahead(books) == 100
    assert printed(books, "100", "100", quote) == []
    assert printed(books, "100", "10", quote) == [(D(10), D(100))]


def test_who_joins_later_stands_behind_and_who_leaves_from_before_lets_it_come_forward() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    books.meet_quote(SYMBOL, touch("100", "100.05", "300"), at(1))
    assert printed(books, "100", "50", touch("100", "100.05", "900")) == []
    assert ahead(books) == 250
    assert printed(books, "100", "30", touch("100", "100.05", "40")) == []
    assert ahead(books) == 10


def test_the_last_in_the_queue_stays_the_last_and_the_front_is_served_at_once() -> None:
    quote = touch("100", "100.05", "300")
    for queue, expected in (("last", []), ("front", [(D(10), D(100))])):
        books = books_with(free(queue))  # type: ignore[arg-type]
        submit(books, command("buy", "10", "100"))
        for _ in range(3):
            got = printed(books, "100", "200", quote)
            assert got == expected
            expected = []
        assert len(books.working) == (queue == "last")


@pytest.mark.parametrize("queue", ["last", "front", "displayed"])
def test_a_better_price_goes_first_and_a_worse_one_later(queue: QueueModel) -> None:
    books = books_with(free(queue))
    submit(books, command("buy", "10", "100"))
    assert printed(books, "100", "500", touch("100.01", "100.05")) == []
    assert printed(books, "100", "5", touch("99.99", "100.05")) == [(D(10), D(100))]


def test_a_print_through_the_limit_fills_whoever_stands_before() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    books.meet_quote(SYMBOL, touch("100", "100.05", "300"), at(1))
    assert printed(books, "99.99", "1", touch("100", "100.05", "300")) == [(D(10), D(100))]


def test_without_a_quote_the_first_print_at_the_limit_goes_to_others() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    assert printed(books, "100.01", "100") == []
    assert printed(books, "100", "1000") == []
    assert printed(books, "100", "1") == [(D(10), D(100))]


def test_a_print_without_a_size_serves_nobody_behind_others() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    books.meet_quote(SYMBOL, touch("100", "100.05", "300"), at(1))
    assert printed(books, "100", None, touch("100", "100.05", "300")) == []
    assert ahead(books) == 300


def test_what_is_left_of_an_order_that_took_improves_on_the_quote_and_is_the_first() -> None:
    books = books_with(free("displayed", part=HALF))
    submit(books, command("buy", "100", "100.05"))
    assert fills(books.meet_quote(SYMBOL, touch("100", "100.05", "300", "80"), at(1))) == [
        (D(40), D("100.05"))
    ]
    assert ahead(books) == 0
    assert printed(books, "100.05", "60", touch("100.05", "100.06", "900")) == [
        (D(30), D("100.05"))
    ]


def test_in_a_new_run_an_order_joins_anew() -> None:
    books = books_with(free("displayed"))
    submit(books, command("buy", "10", "100"))
    books.meet_quote(SYMBOL, touch("100", "100.05", "300"), at(1))
    (forgotten,) = books.forget_prints()
    assert isinstance(forgotten, OrderMoved)
    assert forgotten.order.queue_ahead is None
    books.meet_quote(SYMBOL, touch("100", "100.05", "20"), at(1))
    assert ahead(books) == 20


# --- latency -----------------------------------------------------------------------------------


def test_an_order_meets_the_first_print_after_its_latency() -> None:
    books = books_with(free(latency_ms=1500))
    submit(books, command("buy", "10"))
    submit(books, command("buy", "10", "101", name="b"))
    assert printed(books, "100", second=0) == []
    assert fills(books.meet_quote(SYMBOL, touch("99", "99.5"), at(1))) == []
    assert printed(books, "102", second=2) == [(D(10), D(102))]
    assert printed(books, "101", second=3) == [(D(10), D(101))]


def test_a_stop_is_not_triggered_and_its_mark_not_moved_before_it_arrives() -> None:
    books = books_with(free(latency_ms=1500))
    submit(books, command("buy", "10", name="first"))
    printed(books, "100", second=2)
    submit(books, command("sell", "5", order_type="stop", stop_price="99"))
    submit(books, command("sell", "5", name="trail", order_type="trailing_stop", trail_price="1"))
    assert printed(books, "98", second=1) == []
    assert printed(books, "110", second=1) == []
    assert [each.order.hwm for each in books.working.values()] == [None, D(100)]
    assert printed(books, "98.5", second=2) == [(D(5), D("98.5")), (D(5), D("98.5"))]


def test_an_order_that_fills_at_once_waits_for_its_first_print_at_the_market() -> None:
    books = books_with(free(latency_ms=1500))
    submit(books, command("buy", "10", "101", time_in_force="ioc"))
    printed(books, "105", second=1)
    assert len(books.working) == 1
    assert printed(books, "100", second=2) == [(D(10), D(100))]


def test_in_a_run_of_an_earlier_time_the_order_is_there() -> None:
    books = books_with(free(latency_ms=1500))
    submit(books, command("buy", "10"))
    books.forget_prints()
    assert printed(books, "100", second=-1000) == [(D(10), D(100))]


def test_the_draw_depends_on_the_order_alone_and_stays_within_its_bounds() -> None:
    paper = free(latency_ms=50, jitter_ms=20)
    drawn = [paper.latency_of(UUID(int=each * 7919)) for each in range(1000)]
    assert drawn == [paper.latency_of(UUID(int=each * 7919)) for each in range(1000)]
    ms = [each.total_seconds() * 1000 for each in drawn]
    assert 50 <= min(ms) < 55
    assert 65 < max(ms) <= 70


@pytest.mark.parametrize(
    "document",
    [
        {"queue": "middle"},
        {"queue": None},
        {"latency_ms": -1},
        {"latency_ms": 10_001},
        {"latency_ms": 1.5},
        {"latency_ms": "50"},
        {"latency_jitter_ms": 10_001},
        {"latency_jitter_ms": True},
    ],
)
def test_terms_that_make_no_sense_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadPaperTermsError):
        parse_paper_terms(document)
