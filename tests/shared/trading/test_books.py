"""Stories of one account's books."""

from decimal import Decimal

import msgspec
import pytest

from shared.models.orders import SubmitOrder
from shared.trading.books import Books, BooksState
from shared.trading.changes import Change, OrderChanged, OrderFilled, execution_id_of, order_id_of
from shared.trading.terms import Instrument, Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, at, command, open_books, submit, terms

D = Decimal


def meet(books: Books, price: str, seconds: int = 1, symbol: str = "SPY") -> list[Change]:
    return books.meet_print(symbol, D(price), at(seconds))  # type: ignore[arg-type]


def price_of(changes: list[Change]) -> Decimal:
    [change] = changes
    assert isinstance(change, OrderFilled)
    return change.execution.price


# --- fills ---------------------------------------------------------------------------------------


def test_a_market_order_fills_whole_at_the_first_print_slipped() -> None:
    books = open_books(terms(slippage_bps="10", fee_bps="100"))
    submit(books, command("buy", "10"))
    [change] = meet(books, "100")
    assert isinstance(change, OrderFilled)
    assert change.execution.price == D("100.1")
    assert change.execution.fee == D("10.01")
    assert books.cash == D("10000") - 1001 - D("10.01")
    assert change.order.status == "filled"
    assert [entry.kind for entry in change.entries] == ["fill", "fee"]
    assert books.holdings[SPY.symbol].qty == 10
    assert meet(books, "90") == []


@pytest.mark.parametrize(
    ("side", "limit", "prints", "slippage_bps", "expected"),
    [
        # The first print is through the limit: at the print, slipped, never beyond the limit.
        ("buy", "101", ["100"], "0", "100"),
        ("buy", "101", ["100"], "50", "100.5"),
        ("buy", "100.2", ["100"], "50", "100.2"),
        ("buy", "100", ["100"], "50", "100"),
        ("sell", "99", ["100"], "0", "100"),
        ("sell", "99", ["100"], "50", "99.5"),
        ("sell", "99.8", ["100"], "50", "99.8"),
        # It rested: at its limit, however far the print went.
        ("buy", "99", ["100", "90"], "50", "99"),
        ("buy", "99", ["100", "99"], "0", "99"),
        ("sell", "101", ["100", "120"], "50", "101"),
    ],
)
def test_a_limit_order_fills_as_promised(
    side: str, limit: str, prints: list[str], slippage_bps: str, expected: str
) -> None:
    books = open_books(terms(slippage_bps=slippage_bps))
    if side == "sell":
        submit(books, command("buy", "1", name="first"))
        meet(books, "100")
    submit(books, command(side, "1", limit))  # type: ignore[arg-type]
    for price in prints[:-1]:
        assert meet(books, price) == []
    assert price_of(meet(books, prints[-1])) == D(expected)


def test_a_print_that_only_seems_to_reach_the_limit_does_not_fill() -> None:
    fine = Instrument(SPY.symbol, "24/7", "USD", D("1e-12"), D(1), True)
    books = open_books(terms(capital="9000000"))
    # The float nearest to the limit is the print itself, which is above it.
    submit(books, command("buy", "1", "1000000.999999999999"), instrument=fine)
    assert meet(books, "1000001") == []
    assert price_of(meet(books, "1000000")) == D("1000000.999999999999")


def test_prints_fill_in_order_of_submission() -> None:
    books = open_books()
    for name, limit in (("low", "98"), ("high", "99"), ("market", None)):
        submit(books, command("buy", "1", limit, name=name))
    filled = [change.order.client_order_id for change in meet(books, "97")]
    assert filled == ["low", "high", "market"]


def test_a_fill_that_would_take_cash_below_zero_cancels_the_order() -> None:
    books = open_books(terms(capital="1000"))
    submit(books, command("buy", "9"))
    [change] = meet(books, "120")
    assert isinstance(change, OrderChanged)
    assert (change.order.status, change.order.reason_code) == ("cancelled", "insufficient_cash")
    assert books.cash == books.free_cash == 1000
    assert not books.working


def test_the_fee_counts_when_a_fill_would_take_cash_below_zero() -> None:
    books = open_books(terms(capital="1000", fee_bps="100"))
    submit(books, command("buy", "9"))
    [change] = meet(books, "111")  # costs 999, and 9.99 more
    assert isinstance(change, OrderChanged)
    assert change.order.reason_code == "insufficient_cash"
    assert books.cash == 1000


def test_an_order_that_is_cancelled_frees_what_it_reserved_and_never_fills() -> None:
    books = open_books(terms(capital="1000"))
    order = submit(books, command("buy", "10", "100")).order
    assert books.free_cash == 0
    [cancelled] = books.cancel(order.id, at(1))
    assert cancelled.order.status == "cancelled"
    assert books.free_cash == 1000
    assert meet(books, "50") == []
    assert books.cancel(order.id, at(2)) == []


def test_a_day_order_expires_at_its_close_and_not_before() -> None:
    books = open_books()
    submit(books, command("buy", "1", "50", name="day", day=True), close=at(60))
    submit(books, command("buy", "1", "50", name="gtc"))
    assert books.next_expiry() == at(60)
    assert books.expire(at(59)) == []
    [change] = books.expire(at(60))
    assert isinstance(change, OrderChanged)
    assert (change.order.client_order_id, change.order.status) == ("day", "expired")
    assert books.next_expiry() is None
    assert len(meet(books, "40")) == 1


def test_a_new_run_makes_a_resting_order_wait_for_its_first_print_again() -> None:
    books = open_books()
    submit(books, command("buy", "1", "95"))
    assert meet(books, "100") == []
    books.forget_prints()
    assert price_of(meet(books, "90")) == 90


def test_ids_are_the_same_for_the_same_command() -> None:
    first, again = open_books(), open_books()
    for books in (first, again):
        submit(books, command("buy", "1"))
    [one], [other] = meet(first, "100"), meet(again, "100")
    assert isinstance(one, OrderFilled)
    assert isinstance(other, OrderFilled)
    assert one == other
    assert one.order.id == order_id_of(ACCOUNT, "paper", "a")
    assert one.execution.id == execution_id_of(one.order.id, 1)
    assert order_id_of(ACCOUNT, "live", "a") != one.order.id


def test_equity_values_positions_at_the_last_price_and_without_one_at_cost() -> None:
    books = open_books()
    submit(books, command("buy", "10"))
    meet(books, "100")
    assert books.valued({SPY.symbol: D("103.5")}) == (D("10035"), D("35"))
    assert books.valued({}) == (10_000, 0)


def test_the_first_deposit_is_made_once() -> None:
    books = Books(terms(), "paper", Limits(), BooksState())
    assert not books.is_open
    [deposit] = books.open(T0)
    assert books.open(T0) == []
    assert books.cash == 10_000
    assert deposit.entry.balance == 10_000  # type: ignore[union-attr]


# --- checks, in their order ----------------------------------------------------------------------

_FX = Instrument(SPY.symbol, "XNYS", "EUR", D("0.01"), D(1), True)
_HALTED = Instrument(SPY.symbol, "XNYS", "USD", D("0.01"), D(1), False)


@pytest.mark.parametrize(
    ("order", "instrument", "status", "code"),
    [
        (command("buy", "-1", name=""), None, "closed", "account_closed"),
        (command("buy", "-1", name=""), None, "active", "invalid_client_order_id"),
        (command("buy", "-1", name="x" * 129), None, "active", "invalid_client_order_id"),
        (command("buy", "-1"), None, "active", "unknown_symbol"),
        (command("buy", "-1"), _HALTED, "active", "symbol_not_tradable"),
        (command("buy", "-1", mode="live"), _FX, "active", "currency_mismatch"),
        (command("buy", "-1"), SPY, "active", "invalid_qty"),
        (command("buy", "0"), SPY, "active", "invalid_qty"),
        (command("buy", "NaN"), SPY, "active", "invalid_qty"),
        (command("buy", "sNaN"), SPY, "active", "invalid_qty"),
        (command("buy", "Infinity"), SPY, "active", "invalid_qty"),
        (command("buy", "1e30"), SPY, "active", "qty_too_large"),
        (command("buy", "1.5", "-1"), SPY, "active", "qty_not_in_lots"),
        (command("buy", "1e-999"), SPY, "active", "qty_not_in_lots"),
        (command("buy", "1", "-1"), SPY, "active", "invalid_limit_price"),
        (command("buy", "1", "NaN"), SPY, "active", "invalid_limit_price"),
        (command("buy", "1", "1e10"), SPY, "active", "limit_price_too_large"),
        (command("buy", "1", "1.005"), SPY, "active", "limit_price_not_on_tick"),
        (command("buy", "1e9", "1e9"), SPY, "active", "notional_too_large"),
        (command("buy", "1", "1", day=True), SPY, "active", "time_in_force_not_available"),
    ],
)
def test_a_wrong_command_is_refused_and_changes_nothing(
    order: SubmitOrder, instrument: Instrument | None, status: str, code: str
) -> None:
    books = open_books(terms(status=status))
    refused = books.submit(order, instrument, D(100), T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert not books.working
    assert books.free_cash == 10_000
    assert submit(open_books(), command("buy", "1")).order.seq == 1


@pytest.mark.parametrize(
    ("order_type", "limit", "code"),
    [("limit", None, "limit_price_missing"), ("market", "1", "limit_price_not_allowed")],
)
def test_exactly_limit_orders_carry_a_limit_price(
    order_type: str, limit: str | None, code: str
) -> None:
    order = msgspec.structs.replace(command("buy", "1", limit), order_type=order_type)
    refused = open_books().submit(order, SPY, D(100), T0, "1-0", None)
    assert isinstance(refused, Refused)
    assert refused.code == code


@pytest.mark.parametrize(
    ("order", "last", "code", "limit", "observed"),
    [
        (command("buy", "1"), None, "no_market_price", None, None),
        (command("sell", "1"), None, "no_market_price", None, None),
        (command("buy", "1e9"), "100000", "notional_too_large", "1000000000000", "100000000000000"),
        (command("buy", "100"), "100", "insufficient_buying_power", "10000", "10100"),
        (command("buy", "100", "100.01"), None, "insufficient_buying_power", "10000", "10001"),
        (command("sell", "1"), "100", "insufficient_position", "0", "1"),
    ],
)
def test_what_the_books_forbid_is_a_rejected_order_with_its_reason(
    order: SubmitOrder, last: str | None, code: str, limit: str | None, observed: str | None
) -> None:
    books = open_books()
    rejected = submit(books, order, last).order
    assert (rejected.status, rejected.reason_code) == ("rejected", code)
    assert rejected.reason is not None
    if limit is not None:
        assert rejected.reason.endswith(f"Limit {limit}, observed {observed}.")
    assert not books.working
    assert books.free_cash == 10_000


def test_working_orders_count_against_buying_power_and_position() -> None:
    books = open_books()
    assert submit(books, command("buy", "60", "100", name="a")).order.status == "accepted"
    assert submit(books, command("buy", "41", "100", name="b")).order.status == "rejected"
    assert submit(books, command("buy", "40", "100", name="c")).order.status == "accepted"
    meet(books, "100")
    assert submit(books, command("sell", "60", "110", name="d")).order.status == "accepted"
    assert submit(books, command("sell", "41", "110", name="e")).order.status == "rejected"
    assert submit(books, command("sell", "40", "110", name="f")).order.status == "accepted"


def test_a_buy_reserves_its_fee_too() -> None:
    books = open_books(terms(fee_bps="10"))
    assert submit(books, command("buy", "100", "100", name="a")).order.status == "rejected"
    assert submit(books, command("buy", "99", "100", name="b")).order.status == "accepted"
    assert books.free_cash == D(10_000) - 9900 - D("9.9")


def test_a_market_buy_reserves_the_buffered_and_slipped_price() -> None:
    books = open_books(terms(slippage_bps="10"), Limits(reserve_buffer_bps=D(200)))
    submit(books, command("buy", "10"))
    assert books.free_cash == D(10_000) - 10 * D("102.11")
