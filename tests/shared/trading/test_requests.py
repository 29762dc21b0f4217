"""Cancels and replacements that take their time to the market, and what fills meanwhile."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.models.identifiers import OrderId
from shared.models.orders import Order, ReplaceOrder, StopLoss, TakeProfit
from shared.trading.books import Books
from shared.trading.changes import OrderChanged, order_id_of
from shared.trading.terms import Refused
from tests.shared.trading.support import ACCOUNT, SPY, at, command, submit, submit_all
from tests.shared.trading.test_queueing import books_with, free, printed

D = Decimal


def ms(milliseconds: int) -> datetime:
    return at(0) + timedelta(milliseconds=milliseconds)


def distant(latency_ms: int = 1500, part: str = "0") -> Books:
    return books_with(free(latency_ms=latency_ms, part=D(part)))


def resting(books: Books, qty: str = "10", limit: str = "99") -> Order:
    """At the market at second 2."""
    order = submit(books, command("buy", qty, limit)).order
    assert printed(books, "100", second=2) == []
    return order


def replace(
    books: Books, order_id: OrderId, second: int, name: str = "new", **changes: str
) -> list[OrderChanged] | Refused:
    asked = ReplaceOrder(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        order_id=order_id,
        client_order_id=name,
        submitted_by="user:1",
        **{key: D(value) for key, value in changes.items()},  # type: ignore[arg-type]
    )
    return books.replace(books.working[order_id], asked, SPY, D(100), at(second), "2-0")


def steps(changes: list) -> list[tuple[str, str, str | None]]:  # type: ignore[type-arg]
    return [
        (each.order.client_order_id, each.order.status, each.order.reason_code) for each in changes
    ]


def test_an_order_works_on_until_its_cancel_arrives() -> None:
    books = distant()
    order = resting(books)
    (asked,) = books.ask_cancel(order.id, at(3))
    assert (asked.order.status, asked.order.due_at) == ("accepted", ms(4500))
    assert books.next_expiry() == ms(4500)
    assert books.expire(ms(4499)) == []
    assert steps(books.expire(ms(4500))) == [("a", "cancelled", None)]
    assert not books.working
    assert books.free_cash == books.cash


def test_what_fills_before_the_cancel_arrives_is_filled() -> None:
    books = distant()
    order = resting(books)
    books.ask_cancel(order.id, at(3))
    assert printed(books, "98", second=4) == [(D(10), D(99))]
    assert books.expire(at(10)) == []
    assert books.ask_cancel(order.id, at(10)) == []


def test_a_cancel_never_overtakes_its_order_and_counts_once() -> None:
    books = distant()
    order = submit(books, command("buy", "10")).order
    first = books.ask_cancel(order.id, at(1))
    assert books.ask_cancel(order.id, at(2)) == first
    assert printed(books, "100", second=2) == [(D(10), D(100))]


def test_without_latency_a_cancel_is_at_once() -> None:
    books = distant(0)
    order = resting(books)
    assert steps(books.ask_cancel(order.id, at(3))) == [("a", "cancelled", None)]


def test_the_old_order_works_until_the_new_one_is_at_the_market() -> None:
    books = distant()
    order = resting(books)
    changes = replace(books, order.id, 3, limit_price="98")
    assert not isinstance(changes, Refused)
    assert steps(changes) == [("a", "accepted", None), ("new", "accepted", None)]
    assert changes[0].order.replaced_by == changes[1].order.id
    assert printed(books, "97", second=4) == [(D(10), D(99))]
    assert books.expire(at(9)) == []
    assert not books.working
    assert books.free_cash == books.cash


def test_when_both_have_arrived_only_the_new_one_works() -> None:
    books = distant()
    order = resting(books)
    replace(books, order.id, 3, limit_price="98", qty="20")
    assert steps(books.expire(ms(4500))) == [("a", "replaced", None)]
    assert printed(books, "98.5", second=5) == []
    assert printed(books, "97", second=6) == [(D(20), D(98))]


def test_what_the_old_one_fills_meanwhile_the_new_one_loses() -> None:
    books = distant(part="10")
    order = resting(books)
    replace(books, order.id, 3, limit_price="98")
    assert printed(books, "97", "40", second=4) == [(D(4), D(99))]
    assert [each.order.qty for each in books.working.values()] == [D(10), D(6)]
    books.expire(ms(4500))
    assert printed(books, "97", "1000", second=5) == [(D(6), D("97"))]


def test_a_new_order_that_nothing_is_left_for_ends() -> None:
    books = distant()
    order = resting(books)
    replace(books, order.id, 3, limit_price="98")
    changes = books.meet_print(SPY.symbol, D(97), at(4))
    assert steps(changes)[1:] == [("new", "cancelled", "replaced_order_filled")]


def test_a_chain_of_replacements_loses_what_the_first_one_fills() -> None:
    books = distant(part="10")
    order = resting(books)
    replace(books, order.id, 3, limit_price="98")
    second = order_id_of(ACCOUNT, "paper", "new")
    replace(books, second, 3, "newest", limit_price="97")
    printed(books, "97", "40", second=4)
    assert [each.order.qty for each in books.working.values()] == [D(10), D(6), D(6)]
    ended = steps(books.ask_cancel(order.id, at(4)))
    assert ended[1:] == [("new", "cancelled", None), ("newest", "cancelled", None)]
    assert steps(books.expire(at(6))) == [("a", "cancelled", None)]


def test_while_one_change_is_on_its_way_there_is_no_other() -> None:
    books = distant()
    order = resting(books)
    replace(books, order.id, 3, limit_price="98")
    for pending in (order.id, _cancelled(books)):
        refused = replace(books, pending, 3, "again", limit_price="97")
        assert isinstance(refused, Refused)
        assert refused.code == "order_change_pending"


def _cancelled(books: Books) -> OrderId:
    other = submit(books, command("buy", "1", "90", name="other")).order
    books.ask_cancel(other.id, at(3))
    return other.id


def test_an_order_that_expires_takes_the_one_that_is_to_replace_it_along() -> None:
    books = distant()
    order = submit(books, command("buy", "10", "99", day=True), close=at(4)).order
    changes = replace(books, order.id, 3, limit_price="98")
    assert not isinstance(changes, Refused)
    assert steps(books.expire(at(4))) == [
        ("a", "expired", None),
        ("new", "cancelled", "replaced_order_ended"),
    ]


def test_when_another_run_begins_what_is_on_its_way_arrives() -> None:
    books = distant()
    order = resting(books)
    replace(books, order.id, 3, limit_price="98")
    _cancelled(books)
    assert steps(books.arrive(at(3))) == [("a", "replaced", None), ("other", "cancelled", None)]
    assert [each.order.client_order_id for each in books.working.values()] == ["new"]


def test_a_cancelled_exit_takes_its_group_along_when_it_arrives() -> None:
    books = distant()
    submit(books, command("buy", "10", name="first"))
    printed(books, "100", second=2)
    legs = {
        "order_class": "oco",
        "order_type": "limit",
        "take_profit": TakeProfit(limit_price=D(110)),
        "stop_loss": StopLoss(stop_price=D(90)),
    }
    taken = submit_all(books, command("sell", "10", name="exit", **legs))
    books.ask_cancel(taken[1].order.id, at(3))
    assert len(books.working) == 2
    assert [each.order.status for each in books.expire(at(5))] == ["cancelled", "cancelled"]
