"""Values to trade with."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import Side, SubmitOrder
from shared.trading.books import Books, BooksState
from shared.trading.changes import OrderChanged
from shared.trading.hours import Hours
from shared.trading.paper_terms import PaperTerms, basis_points
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused

T0 = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
ACCOUNT = AccountId(UUID(int=1))
SPY = Instrument(Symbol("SPY"), "XNYS", "USD", Decimal("0.01"), Decimal(1), True)


def at(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


def terms(
    capital: str = "10000",
    fee_bps: str = "0",
    slippage_bps: str = "0",
    status: str = "active",
    paper: PaperTerms | None = None,
) -> AccountTerms:
    paper = paper or basis_points(Decimal(fee_bps), Decimal(slippage_bps))
    return AccountTerms(ACCOUNT, status, "USD", Decimal(capital), paper)


def open_books(account: AccountTerms | None = None, limits: Limits | None = None) -> Books:
    books = Books(account or terms(), "paper", limits or Limits(), BooksState())
    books.open(T0)
    return books


def command(
    side: Side,
    qty: str | Decimal,
    limit: str | Decimal | None = None,
    name: str = "a",
    symbol: str = "SPY",
    day: bool = False,
    **more: Any,
) -> SubmitOrder:
    """A market or limit order; `more` are further fields of the command, texts for numbers."""
    exact = {"stop_price", "trail_price", "trail_percent"}
    more = {
        key: Decimal(value) if key in exact and value is not None else value
        for key, value in more.items()
    }
    return SubmitOrder(
        **{
            "request_id": "r",
            "reply_to": "c",
            "account_id": ACCOUNT,
            "mode": "paper",
            "client_order_id": name,
            "submitted_by": "user:1",
            "symbol": Symbol(symbol),
            "side": side,
            "order_type": "market" if limit is None else "limit",
            "time_in_force": "day" if day else "gtc",
            "qty": Decimal(qty),
            "limit_price": None if limit is None else Decimal(limit),
            **more,
        }
    )


def submit(
    books: Books,
    order: SubmitOrder,
    last: str | None = "100",
    close: datetime | None = None,
    instrument: Instrument = SPY,
) -> OrderChanged:
    first, *legs = submit_all(books, order, last, close, instrument)
    assert not legs
    return first


def submit_all(
    books: Books,
    order: SubmitOrder,
    last: str | None = "100",
    close: datetime | None = None,
    instrument: Instrument = SPY,
) -> list[OrderChanged]:
    """The order and its legs."""
    price = None if last is None else Decimal(last)
    hours = None if close is None else Hours(close)
    taken = books.submit(order, instrument, price, T0, "1-0", hours)
    assert not isinstance(taken, Refused), taken
    return taken
