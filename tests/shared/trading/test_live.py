"""What a broker says of an order, as steps of live books."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.models.brokers import BrokerAccount, BrokerOrder, BrokerPosition, BrokerUpdate
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.orders import SubmitOrder
from shared.trading.books import Books, BooksState
from shared.trading.changes import BrokerCompared, Difference, OrderChanged
from shared.trading.live import ended_difference
from shared.trading.paper_terms import basis_points
from shared.trading.terms import AccountTerms, Instrument, Limits

ACCOUNT = AccountId(UUID(int=7))
AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
SPY = Instrument(Symbol("SPY"), "XNYS", "USD", Decimal("0.01"), Decimal(1), True)
THEIRS = BrokerAccount(
    number="1",
    currency="USD",
    cash=Decimal(10_000),
    equity=Decimal(0),
    buying_power=Decimal(0),
    may_trade=True,
)


def live_books() -> Books:
    terms = AccountTerms(ACCOUNT, "active", "USD", Decimal(5), basis_points(Decimal(0), Decimal(0)))
    books = Books(terms, "live", Limits(), BooksState())
    assert books.open(AT) == []
    books.compare(THEIRS, (), AT)
    return books


def bought(books: Books, qty: int = 10) -> OrderId:
    taken = books.submit(
        SubmitOrder(
            request_id="r",
            reply_to="",
            account_id=ACCOUNT,
            mode="live",
            client_order_id="one",
            submitted_by="user:1",
            symbol=Symbol("SPY"),
            side="buy",
            order_type="limit",
            time_in_force="gtc",
            qty=Decimal(qty),
            limit_price=Decimal(100),
        ),
        SPY,
        None,
        AT,
        "0-0",
        None,
    )
    assert isinstance(taken, list)
    assert taken[0].order.status == "new"
    return taken[0].order.id


def said(status: str, filled: int = 0, average: str | None = None, **more: Any) -> BrokerUpdate:
    order = {
        "client_order_id": "one",
        "broker_order_id": "b1",
        "symbol": Symbol("SPY"),
        "side": "buy",
        "qty": Decimal(10),
        "status": status,
        "filled_qty": Decimal(filled),
        "filled_avg_price": None if average is None else Decimal(average),
        "at": AT,
    }
    return BrokerUpdate(order=BrokerOrder(**(order | more)))


STORY = (
    said("working"),
    said("partially_filled", 3, "90"),
    said("partially_filled", 5, "92"),
    said("filled", 10, "96"),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_in_whatever_order_and_however_often_updates_come_the_books_are_the_same(
    order: tuple[int, ...],
) -> None:
    books = live_books()
    one = bought(books)
    last = None
    for number in (*order, *order):
        if one in books.working:
            heard = books.hear(one, STORY[number], AT)
            assert isinstance(heard, list)
            last = books.working[one].order if one in books.working else heard[-1].order  # type: ignore[union-attr]
        else:
            assert last is not None
            assert ended_difference(last, STORY[number]) is None
    # The price of what was missed is worked out from averages, to 12 decimals.
    assert abs(books.cash - (10_000 - 960)) < Decimal("1e-9")
    assert books.holdings[Symbol("SPY")].qty == 10
    assert books.free_cash == books.cash
    assert last is not None
    assert (last.status, last.filled_qty) == ("filled", 10)
    assert last.filled_avg_price is not None
    assert abs(last.filled_avg_price - 96) < Decimal("1e-9")


def test_a_fill_has_its_own_price_where_it_is_the_only_new_one() -> None:
    books = live_books()
    one = bought(books)
    rounded = said("partially_filled", 3, "33.33")
    books.hear(one, msgspec.structs.replace(rounded, qty=Decimal(3), price=Decimal("33.3333")), AT)
    assert books.cash == 10_000 - Decimal("99.9999")


@pytest.mark.parametrize(
    "update",
    [
        said("working", symbol=Symbol("QQQ")),
        said("working", side="sell"),
        said("working", qty=Decimal(11)),
        said("working", broker_order_id="b2"),
        said("partially_filled", 11, "90"),
        said("filled", 9, "90"),
        said("cancelled", 2, "90"),
        said("partially_filled", 5, "1"),
        said("partially_filled", 5),
    ],
)
def test_what_can_not_be_true_is_told_and_changes_nothing(update: BrokerUpdate) -> None:
    books = live_books()
    one = bought(books)
    books.hear(one, said("partially_filled", 3, "90"), AT)
    before = (books.cash, books.working[one].order, dict(books.holdings))
    heard = books.hear(one, update, AT)
    assert isinstance(heard, Difference)
    assert heard.kind == "contradiction"
    assert (books.cash, books.working[one].order, dict(books.holdings)) == before


@pytest.mark.parametrize(
    ("update", "status", "code"),
    [
        (said("rejected", reason="no"), "rejected", "broker_rejected"),
        (said("cancelled"), "cancelled", None),
        (said("expired"), "expired", None),
        (said("replaced"), "cancelled", "broker_replaced"),
    ],
)
def test_an_order_ends_with_the_brokers_word_and_frees_what_it_kept(
    update: BrokerUpdate, status: str, code: str | None
) -> None:
    books = live_books()
    one = bought(books)
    assert books.free_cash == 9_000
    heard = books.hear(one, update, AT)
    assert isinstance(heard, list)
    last = heard[-1]
    assert isinstance(last, OrderChanged)
    assert (last.order.status, last.order.reason_code) == (status, code)
    assert books.free_cash == 10_000


def test_a_cancel_that_is_wanted_leaves_the_order_working() -> None:
    books = live_books()
    one = bought(books)
    [noted] = books.want_cancel(None, None)
    assert (noted.cancel_wanted, noted.broker_order_id) == (True, None)
    assert books.working[one].order.status == "new"
    assert books.expire(AT + timedelta(days=9)) == []
    assert books.want_cancel(Symbol("QQQ"), None) == []


def test_what_fills_or_works_after_its_end_is_a_difference() -> None:
    books = live_books()
    one = bought(books)
    heard = books.hear(one, said("cancelled", 3, "90"), AT)
    assert isinstance(heard, list)
    ended = heard[-1].order  # type: ignore[union-attr]
    late = ended_difference(ended, said("filled", 10, "90"))
    listed = msgspec.structs.replace(said("partially_filled", 3, "90"), listed=True)
    works = ended_difference(ended, listed)
    assert late is not None
    assert works is not None
    assert (late.kind, works.kind) == ("filled_after_end", "works_after_end")
    assert ended_difference(ended, said("working")) is None


def test_the_first_comparison_opens_the_books_and_later_ones_change_nothing() -> None:
    books = live_books()
    assert books.cash == 10_000
    theirs = msgspec.structs.replace(THEIRS, cash=Decimal("9999.99"))
    held = BrokerPosition(symbol=Symbol("QQQ"), qty=Decimal(2), avg_price=Decimal(1))
    [compared] = books.compare(theirs, (held,), AT)
    assert isinstance(compared, BrokerCompared)
    assert [(each.kind, each.ours, each.theirs) for each in compared.differences] == [
        ("cash", "10000", "9999.99"),
        ("position", "0", "2"),
    ]
    assert books.cash == 10_000
    [compared] = books.compare(THEIRS, (), AT)
    assert isinstance(compared, BrokerCompared)
    assert compared.differences == ()
