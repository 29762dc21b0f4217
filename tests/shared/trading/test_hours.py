"""Regular and extended hours, and the auctions between them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.models.identifiers import OrderId
from shared.models.orders import ProtectionStop, ProtectPosition, ReplaceOrder, TakeProfit
from shared.trading.books import Books
from shared.trading.changes import Change, OrderChanged, OrderFilled, WorkingOrder
from shared.trading.hours import Hours
from shared.trading.matching import NOTHING_WORKS
from shared.trading.paper_terms import PaperTerms
from shared.trading.quotes import Touch
from shared.trading.risk import Ladder, Level, RiskLimits, tightest
from shared.trading.terms import Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, at, command, open_books, terms

D = Decimal

#: T0 is in regular hours: they end in an hour, the session four hours later.
REGULAR = Hours(close=at(5 * 3600), opening=at(22 * 3600), closing=at(3600))
#: T0 is before them: they begin in an hour.
BEFORE = Hours(close=at(9 * 3600), opening=at(3600), closing=at(5 * 3600))
REGULAR_ONLY = PaperTerms(extended_hours=False)


def send(
    books: Books, hours: Hours | None, limit: str | None = None, qty: str = "10", **more: Any
) -> OrderChanged:
    taken = books.submit(command("buy", qty, limit, **more), SPY, D(100), T0, "1-0", hours)
    assert not isinstance(taken, Refused), taken
    return taken[0]


def refusal(hours: Hours | None, limit: str | None = None, **more: Any) -> str:
    books = open_books()
    taken = books.submit(command("buy", "10", limit, **more), SPY, D(100), T0, "1-0", hours)
    assert isinstance(taken, Refused), taken
    assert not books.working
    return taken.code


def printed(
    books: Books, price: str, seconds: int = 1, *, regular: bool, size: str | None = None
) -> list[Change]:
    exact = None if size is None else D(size)
    return books.meet_print(SPY.symbol, D(price), at(seconds), exact, regular=regular)


def fill_of(changes: list[Change]) -> tuple[str, str]:
    [filled] = changes
    assert isinstance(filled, OrderFilled)
    return f"{filled.execution.price.normalize():f}", str(filled.execution.qty)


def replacement(order_id: OrderId) -> ReplaceOrder:
    return ReplaceOrder(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        order_id=order_id,
        client_order_id="b",
        submitted_by="user:1",
        limit_price=D(91),
    )


# --- extended hours ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "of_account", "fills"),
    [(None, True, True), (None, False, False), (False, True, False), (True, False, True)],
)
def test_an_order_says_whether_it_fills_in_extended_hours_or_else_the_account(
    asked: bool | None, of_account: bool, fills: bool
) -> None:
    books = open_books(terms(paper=PaperTerms(extended_hours=of_account)))
    taken = send(books, BEFORE, "101", extended_hours=asked)
    assert taken.order.extended_hours is fills
    assert (books.reach(SPY.symbol, regular=False) == NOTHING_WORKS) is not fills
    assert bool(printed(books, "100", regular=False)) is fills
    assert bool(printed(books, "100", 2, regular=True)) is not fills


def test_what_was_printed_in_extended_hours_is_not_the_first_print_of_an_order_without_them() -> (
    None
):
    books = open_books()
    send(books, BEFORE, "101", extended_hours=False)
    printed(books, "103", regular=False)
    assert fill_of(printed(books, "99", 2, regular=True)) == ("99", "10")


def test_an_order_that_rested_meets_the_first_print_of_the_next_regular_hours_as_its_first() -> (
    None
):
    books = open_books()
    send(books, REGULAR, "101", extended_hours=False)
    printed(books, "103", regular=True)
    books.open_regular_hours(SPY.symbol)
    assert fill_of(printed(books, "99", 2, regular=True)) == ("99", "10")


def test_a_trailing_stop_without_extended_hours_follows_prints_in_regular_hours_alone() -> None:
    books = open_books(terms(paper=REGULAR_ONLY))
    send(books, BEFORE, order_type="trailing_stop", trail_price="5")
    assert printed(books, "50", regular=False) == []
    assert len(printed(books, "98", 2, regular=True)) == 1
    books.open_regular_hours(SPY.symbol)
    [working] = books.working.values()
    assert (working.order.hwm, working.order.stop_price) == (D(98), D(103))


def test_a_day_order_without_extended_hours_ends_with_regular_hours() -> None:
    assert send(open_books(), REGULAR, day=True).order.expires_at == REGULAR.close
    regular = send(open_books(), REGULAR, day=True, extended_hours=False)
    assert regular.order.expires_at == REGULAR.closing
    always = send(open_books(), Hours(at(60)), day=True, extended_hours=False)
    assert always.order.expires_at == at(60)


@pytest.mark.parametrize(
    ("limit", "more"),
    [
        (None, {}),
        ("100", {"time_in_force": "ioc"}),
        ("100", {"time_in_force": "opg"}),
        (None, {"order_type": "stop", "stop_price": "110"}),
    ],
)
def test_only_limit_orders_that_wait_ask_for_extended_hours(
    limit: str | None, more: dict[str, Any]
) -> None:
    assert refusal(BEFORE, limit, extended_hours=True, **more) == "extended_hours_not_allowed"


def test_what_replaces_an_order_keeps_its_hours() -> None:
    books = open_books()
    taken = send(books, REGULAR, "90", extended_hours=False)
    [working] = books.working.values()
    changes = books.replace(working, replacement(taken.order.id), SPY, D(100), T0, "1-0", REGULAR)
    assert not isinstance(changes, Refused)
    assert changes[-1].order.extended_hours is False


# --- the opening auction -------------------------------------------------------------------------


def test_an_opg_order_fills_at_the_first_print_in_regular_hours_at_its_very_price() -> None:
    paper = PaperTerms(participation_percent=D(10))
    books = open_books(terms(paper=paper))
    taken = send(books, BEFORE, time_in_force="opg")
    assert (taken.order.expires_at, taken.order.extended_hours) == (BEFORE.closing, False)
    assert printed(books, "90", regular=False) == []
    assert fill_of(printed(books, "95", 2, regular=True, size="1")) == ("95", "10")


def test_an_opg_limit_order_whose_limit_the_auction_does_not_reach_is_cancelled() -> None:
    books = open_books()
    send(books, BEFORE, "94", time_in_force="opg")
    [ended] = printed(books, "95", regular=True)
    assert isinstance(ended, OrderChanged)
    assert (ended.order.status, ended.order.reason_code) == ("cancelled", "not_filled_in_auction")
    assert not books.working


def test_an_opg_order_without_an_auction_expires() -> None:
    books = open_books()
    send(books, BEFORE, time_in_force="opg")
    assert BEFORE.closing is not None
    [ended] = books.expire(BEFORE.closing)
    assert isinstance(ended, OrderChanged)
    assert ended.order.status == "expired"


# --- the closing auction -------------------------------------------------------------------------


def test_a_cls_order_fills_when_regular_hours_end_at_their_last_price() -> None:
    books = open_books(terms(slippage_bps="100"))
    send(books, REGULAR, "97", time_in_force="cls")
    assert books.reach(SPY.symbol) == NOTHING_WORKS
    assert printed(books, "80", regular=True) == []
    assert books.expire(at(3599)) == []
    last = D("96.5")
    changes = books.expire(at(3605), lambda _: last)
    assert fill_of(changes) == ("96.5", "10")
    assert isinstance(changes[0], OrderFilled)
    assert changes[0].execution.at == at(3605)


def test_a_cls_order_for_an_amount_of_money_is_sized_by_the_closing_price() -> None:
    books = open_books()
    send(books, REGULAR, qty="0", notional=D(500), time_in_force="cls")
    changes = books.expire(at(3600), lambda _: D(60))
    assert fill_of(changes) == ("60", "8")


def test_a_cls_order_is_cancelled_beyond_its_limit_and_expires_without_a_print() -> None:
    def missed(_: WorkingOrder) -> None:
        return None

    for closing, status in ((lambda _: D(98), "cancelled"), (missed, "expired")):
        books = open_books()
        send(books, REGULAR, "97", time_in_force="cls")
        [ended] = books.expire(at(3600), closing)
        assert isinstance(ended, OrderChanged)
        assert ended.order.status == status
        assert books.free_cash == books.cash


def test_a_cls_sell_that_closes_the_position_ends_its_protection() -> None:
    books = open_books()
    send(books, REGULAR)
    printed(books, "100", regular=True)
    stop = ProtectPosition(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id="p",
        submitted_by="user:1",
        symbol=SPY.symbol,
        stop_loss=ProtectionStop(stop_price=D(90)),
    )
    assert not isinstance(books.protect(stop, SPY, D(100), T0, "1-0"), Refused)
    sell = command("sell", "10", name="s", time_in_force="cls")
    assert not isinstance(books.submit(sell, SPY, D(100), T0, "1-0", REGULAR), Refused)
    filled, ended = books.expire(at(3600), lambda _: D(99))
    assert isinstance(ended, OrderChanged)
    assert (filled.order.status, ended.order.reason_code) == ("filled", "position_closed")  # type: ignore[union-attr]


# --- when orders for auctions are taken ----------------------------------------------------------


def closing_in(seconds: int) -> Hours:
    return Hours(at(9000), opening=at(80_000), closing=at(seconds))


def opening_in(seconds: int) -> Hours:
    return Hours(at(50_000), opening=at(seconds), closing=at(40_000))


@pytest.mark.parametrize(
    ("force", "hours", "code"),
    [
        ("opg", opening_in(121), None),
        ("opg", opening_in(120), "auction_closed"),
        ("opg", REGULAR, "auction_closed"),
        ("cls", closing_in(601), None),
        ("cls", closing_in(600), "auction_closed"),
        ("cls", opening_in(60), None),
        ("opg", Hours(at(60)), "time_in_force_not_available"),
        ("cls", None, "time_in_force_not_available"),
    ],
)
def test_orders_for_an_auction_come_some_minutes_before_it(
    force: str, hours: Hours | None, code: str | None
) -> None:
    if code is None:
        send(open_books(), hours, time_in_force=force)
    else:
        assert refusal(hours, time_in_force=force) == code


def test_shortly_before_its_auction_an_order_is_cancelled_but_not_replaced() -> None:
    books = open_books()
    taken = send(books, closing_in(3600), "90", time_in_force="cls")
    [working] = books.working.values()
    late = T0 + timedelta(seconds=3600 - 599)
    change = replacement(taken.order.id)
    refused = books.replace(working, change, SPY, D(100), late, "1-0", closing_in(3600))
    assert isinstance(refused, Refused)
    assert refused.code == "auction_closed"
    assert books.cancel(taken.order.id, late)


def test_stops_and_groups_do_not_wait_for_auctions() -> None:
    stop = {"order_type": "stop", "stop_price": "110"}
    assert refusal(BEFORE, time_in_force="opg", **stop) == "time_in_force_not_allowed"
    exits = {"order_class": "oto", "take_profit": TakeProfit(limit_price=D(120))}
    assert refusal(REGULAR, time_in_force="cls", **exits) == "time_in_force_not_allowed"


# --- the limit of sessions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "asked", "code"),
    [
        (REGULAR, None, "risk_session"),
        (BEFORE, True, "risk_session"),
        (None, None, "risk_session"),
        (None, False, None),
        (BEFORE, False, None),
        (Hours(at(60)), None, None),
    ],
)
def test_a_limit_to_regular_hours_rejects_what_could_fill_outside_of_them(
    hours: Hours | None, asked: bool | None, code: str | None
) -> None:
    books = open_books()
    levels: list[tuple[Level, RiskLimits]] = [
        ("platform", RiskLimits(sessions="extended")),
        ("user", RiskLimits(sessions="regular")),
    ]
    books.risk.ladder = Ladder(tightest(levels))
    assert books.risk.looks_at_hours
    assert send(books, hours, "90", extended_hours=asked).order.reason_code == code


def test_what_reduces_a_position_passes_a_limit_to_regular_hours() -> None:
    books = open_books()
    send(books, REGULAR)
    printed(books, "100", regular=True)
    own = tightest([("deployment", RiskLimits(sessions="regular"))])
    books.risk.ladder = Ladder(own)
    sell = books.submit(command("sell", "10", name="s"), SPY, D(100), T0, "1-0", BEFORE)
    assert not isinstance(sell, Refused)
    assert sell[0].order.status == "accepted"


def test_a_replacement_does_not_pass_a_limit_to_regular_hours() -> None:
    books = open_books()
    taken = send(books, REGULAR, "90")
    books.risk.ladder = Ladder(tightest([("account", RiskLimits(sessions="regular"))]))
    [working] = books.working.values()
    change = replacement(taken.order.id)
    [rejected] = books.replace(working, change, SPY, D(100), T0, "1-0", REGULAR)  # type: ignore[misc]
    assert rejected.order.reason_code == "risk_session"
    assert list(books.working) == [taken.order.id]


# --- quotes --------------------------------------------------------------------------------------


def test_a_quote_is_no_auction() -> None:
    books = open_books()
    send(books, BEFORE, "101", time_in_force="opg")
    touch = Touch(D(99), D(100), D(5), D(5))
    assert books.meet_quote(SPY.symbol, touch, at(1)) == []
    filled = books.meet_print(SPY.symbol, D(98), at(2), None, touch)
    assert fill_of(filled) == ("98", "10")


def test_a_quote_in_extended_hours_fills_no_order_without_them() -> None:
    books = open_books()
    send(books, BEFORE, "101", extended_hours=False)
    touch = Touch(D(99), D(100), D(50), D(50))
    assert books.meet_quote(SPY.symbol, touch, at(1), regular=False) == []
    assert fill_of(books.meet_quote(SPY.symbol, touch, at(2))) == ("100", "10")
