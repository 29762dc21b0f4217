"""How long an order works."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.trading.changes import OrderChanged, OrderFilled
from shared.trading.hours import Hours
from shared.trading.terms import Refused
from tests.shared.trading.support import SPY, T0, at, command, open_books, submit

D = Decimal


@pytest.mark.parametrize("force", ["ioc", "fok"])
def test_an_order_to_fill_at_once_fills_at_its_first_print_or_ends_there(force: str) -> None:
    books = open_books()
    submit(books, command("buy", "1", name="market", time_in_force=force))
    submit(books, command("buy", "1", "99", name="reached", time_in_force=force))
    submit(books, command("buy", "1", "98", name="missed", time_in_force=force))
    changes = books.meet_print(SPY.symbol, D("98.5"), at(1))
    assert [(each.order.client_order_id, each.order.status) for each in changes] == [  # type: ignore[union-attr]
        ("market", "filled"),
        ("reached", "filled"),
        ("missed", "cancelled"),
    ]
    assert changes[2].order.reason_code == "not_filled_at_once"  # type: ignore[union-attr]
    assert not books.working
    assert books.free_cash == books.cash


def test_a_gtd_order_ends_at_its_second_and_not_before() -> None:
    books = open_books()
    taken = submit(books, command("buy", "1", "50", time_in_force="gtd", expires_at=at(60)))
    assert taken.order.expires_at == at(60)
    assert books.next_expiry() == at(60)
    assert books.expire(at(59)) == []
    [ended] = books.expire(at(60))
    assert isinstance(ended, OrderChanged)
    assert (ended.order.status, ended.order.updated_at) == ("expired", at(60))
    assert books.next_expiry() is None


def test_stops_end_with_their_day_or_date_too() -> None:
    books = open_books()
    stop: dict[str, Any] = {"order_type": "stop", "stop_price": "110"}
    submit(books, command("buy", "1", name="day", day=True, **stop), close=at(10))
    gtd = command("buy", "1", name="gtd", time_in_force="gtd", expires_at=at(20), **stop)
    submit(books, gtd)
    assert [each.order.client_order_id for each in books.expire(at(10))] == ["day"]  # type: ignore[union-attr]
    [filled] = books.meet_print(SPY.symbol, D(110), at(19))
    assert isinstance(filled, OrderFilled)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"time_in_force": "gtd"}, "expires_at_missing"),
        ({"time_in_force": "gtc", "expires_at": at(5)}, "expires_at_not_allowed"),
        ({"time_in_force": "day", "expires_at": at(5)}, "expires_at_not_allowed"),
        ({"time_in_force": "gtd", "expires_at": T0}, "expires_at_passed"),
        ({"time_in_force": "gtd", "expires_at": at(-1)}, "expires_at_passed"),
        (
            {"time_in_force": "gtd", "expires_at": at(5) + timedelta(milliseconds=1)},
            "invalid_expires_at",
        ),
        ({"time_in_force": "gtd", "expires_at": datetime(2030, 1, 1)}, "invalid_expires_at"),  # noqa: DTZ001
        (
            {"time_in_force": "ioc", "order_type": "stop", "stop_price": "110"},
            "time_in_force_not_allowed",
        ),
        (
            {"time_in_force": "fok", "order_type": "trailing_stop", "trail_price": "1"},
            "time_in_force_not_allowed",
        ),
    ],
)
def test_a_time_in_force_that_makes_no_sense_is_refused(more: dict[str, Any], code: str) -> None:
    books = open_books()
    refused = books.submit(command("buy", "1", **more), SPY, D(100), T0, "1-0", Hours(at(99)))
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert not books.working


def test_a_gtd_order_is_refused_while_the_market_time_is_not_known() -> None:
    order = command("buy", "1", "50", time_in_force="gtd", expires_at=at(60))
    refused = open_books().submit(order, SPY, D(100), T0, "1-0", None, time_known=False)
    assert isinstance(refused, Refused)
    assert refused.code == "time_in_force_not_available"
