"""A margin account and its market."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from shared.models.cash import CashKind, MoveCash, transfer_id_of
from shared.models.identifiers import AccountId, Symbol
from shared.models.margin import MarginFigures, MarginTerms
from shared.trading.books import Books, BooksState
from shared.trading.changes import CashEntered
from shared.trading.terms import Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, command, submit_all, terms

D = Decimal

#: Half, a quarter, and three tenths, as accounts begin.
USUAL = MarginTerms()

QQQ = msgspec.structs.replace(SPY, symbol=Symbol("QQQ"))

HARD = msgspec.structs.replace(SPY, symbol=Symbol("HARD"), shortable=False)

INSTRUMENTS = {each.symbol: each for each in (SPY, QQQ, HARD)}


class Account:
    """A margin account and its market."""

    def __init__(
        self, capital: str = "10000", margin: MarginTerms | None = USUAL, fee_bps: str = "0"
    ) -> None:
        account = msgspec.structs.replace(terms(capital, fee_bps=fee_bps), margin=margin)
        self.prices: dict[Symbol, Decimal] = {}
        limits = Limits(reserve_buffer_bps=D(0))
        self.books = Books(account, "paper", limits, BooksState(), self.prices.get)
        self.books.open(T0)
        self._orders = 0
        #: Client order id → price at which the order is counted.
        self.worst: dict[str, Decimal] = {}

    def order(
        self, side: str, qty: str, limit: str | None = None, symbol: str = "SPY", **more: object
    ) -> str:
        """How it was taken: its status, or why it was rejected."""
        self._orders += 1
        name = f"o{self._orders}"
        asked = command(side, qty, limit, name, symbol, **more)  # type: ignore[arg-type]
        last = self.prices.get(Symbol(symbol))
        asked_price, market = D(limit or 0), last or D(0)
        self.worst[name] = asked_price if side == "buy" and limit else max(asked_price, market)
        price = None if last is None else str(last)
        first, *_ = submit_all(self.books, asked, price, None, INSTRUMENTS[Symbol(symbol)])
        return first.order.reason_code or first.order.status

    def print(self, price: str, symbol: str = "SPY") -> Sequence[str]:
        """What it does to orders: their status, or why they ended."""
        changes = self.books.meet_print(Symbol(symbol), D(price), T0)
        self.prices[Symbol(symbol)] = D(price)
        orders = [change.order for change in changes if not isinstance(change, CashEntered)]
        return [order.reason_code or order.status for order in orders]

    def hold(self, side: str, qty: str, price: str = "100", symbol: str = "SPY") -> None:
        self.print(price, symbol)
        assert self.order(side, qty, symbol=symbol) == "accepted"
        assert self.print(price, symbol) == ["filled"]

    @property
    def figures(self) -> MarginFigures:
        found = self.books.margin.figures(T0)
        assert found is not None
        return found

    def move(self, kind: CashKind, amount: str) -> Refused | CashEntered:
        return self.books.move_cash(
            MoveCash(
                request_id="r",
                reply_to="c",
                account_id=ACCOUNT,
                mode="paper",
                client_entry_id="e",
                submitted_by="user:1",
                kind=kind,
                amount=D(amount),
                currency="USD",
                reason="why",
                transfer_id=transfer_id_of(ACCOUNT, "paper", "e") if kind == "transfer" else None,
                counterpart_id=AccountId(SOMEBODY) if kind == "transfer" else None,
            ),
            T0,
        )


SOMEBODY = transfer_id_of(ACCOUNT, "paper", "another account")
