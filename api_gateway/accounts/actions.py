"""Open accounts, see them, and what they are worth."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import cast
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.accounts import paper_terms, repository
from api_gateway.accounts.paper_terms import PaperTermsChange, PaperTermsView
from api_gateway.accounts.portfolio import Abroad, value_portfolio
from api_gateway.accounts.schemas import AccountOpening, AccountView, Portfolio
from api_gateway.errors import Refused
from api_gateway.margin.schemas import MarginFiguresView
from api_gateway.orders.requests import OrderProcessor
from api_gateway.paging import Page, parse_time_cursor, time_cursor
from api_gateway.values import view
from shared.auth import Principal
from shared.database.tables import AccountRow, PositionRow
from shared.models.identifiers import Mode
from shared.models.margin import MarginTerms, margin_terms_document, parse_margin_terms
from shared.models.risk import RiskReply, SeeRisk
from shared.redis.keys import LAST_PRICES, shard_of
from shared.trading.paper_terms import PaperTerms, paper_terms_document, parse_paper_terms


class Accounts:
    def __init__(
        self,
        sessions: sessionmaker[Session],
        redis: Redis,
        processor: OrderProcessor,
        shards: int,
    ) -> None:
        self._sessions = sessions
        self._redis = redis
        self._processor = processor
        self._shards = shards

    async def open(self, owner_id: UUID, opening: AccountOpening) -> AccountRow:
        """The account, once its paper books exist.

        Three steps that each commit: the row, the books (which may be opened again), the note
        that the owner was told. When the processor is away, or we die in between, the account
        stays, and the same request again goes on from there. A portfolio request opens missing
        books as well.
        """
        account = await run_in_threadpool(self._add_or_resume, owner_id, opening)
        await self._open_books(account.id)
        await run_in_threadpool(self._note_opened, account.id)
        return account

    def account(self, account_id: UUID) -> AccountRow:
        with self._sessions() as db:
            account = repository.account(db, account_id)
        if account is None:
            raise Refused("not_found", "There is no such account.")
        return account

    def change_paper_terms(self, account_id: UUID, change: PaperTermsChange) -> PaperTermsView:
        """Of orders from now on; the order processor reads them within a second."""
        with self._sessions.begin() as db:
            account = repository.account_to_change(db, account_id)
            if account is None:
                raise Refused("not_found", "There is no such account.")
            terms = paper_terms.changed(account.paper_terms, change)
            account.paper_terms = paper_terms_document(terms)
            return paper_terms.shown(account.paper_terms)

    def accounts(self, caller: Principal, cursor: str | None, limit: int) -> Page[AccountView]:
        """Admins see everybody's."""
        after = parse_time_cursor(cursor)
        owner_id = None if caller.role == "admin" else caller.user_id
        with self._sessions() as db:
            rows = repository.accounts(db, owner_id, after, limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return Page[AccountView](
            items=[view(AccountView, row) for row in rows[:limit]],
            next_cursor=None if last is None else time_cursor(last.created_at, last.id),
        )

    async def portfolio(self, account_id: UUID, mode: Mode) -> Portfolio:
        if mode == "live":
            raise Refused(
                "mode_not_available", "The account has no broker connection: it trades on paper."
            )
        account, cash, positions, marks, abroad = await run_in_threadpool(
            self._books, account_id, mode
        )
        if cash is None:
            cash = await self._open_books(account_id)
        prices = marks | await self._last_prices([row.symbol for row in positions if row.qty != 0])
        base = account.base_currency
        if account.margin_terms is None and abroad is None:
            return value_portfolio(account_id, mode, base, cash, positions, prices)
        # Working orders count too, and prices and rates as orders are checked against: it alone
        # knows them.
        reply = await self._processor.risk(SeeRisk, account_id, mode)
        if abroad is not None:
            abroad = _at_rates_of(abroad, reply)
        valued = value_portfolio(account_id, mode, base, cash, positions, prices, abroad)
        figures = None if reply.margin is None else view(MarginFiguresView, reply.margin)
        return valued.model_copy(update={"margin": figures})

    async def _open_books(self, account_id: UUID) -> Decimal:
        try:
            return await self._processor.open_books(account_id, "paper")
        except Refused as refused:
            if refused.code != "outcome_unknown":
                raise
            raise Refused(
                "books_not_open",
                "The account exists, but its books could not be opened yet. "
                "Send this request again: it goes on from there.",
                {"account_id": str(account_id)},
            ) from refused

    async def _last_prices(self, symbols: Sequence[str]) -> dict[str, Decimal]:
        """The engine's newest prices, of those symbols that it has any for."""
        if not symbols:
            return {}
        texts = cast("list[bytes | None]", await self._redis.hmget(LAST_PRICES, list(symbols)))
        found = ((s, _price(text)) for s, text in zip(symbols, texts, strict=True))
        return {symbol: price for symbol, price in found if price is not None}

    def _add_or_resume(self, owner_id: UUID, opening: AccountOpening) -> AccountRow:
        terms = paper_terms.changed({}, opening.chosen_terms())
        margin = opening.chosen_margin()
        account = AccountRow(
            owner_id=owner_id,
            name=opening.name,
            base_currency=opening.base_currency,
            paper_capital=opening.paper_capital,
            paper_terms=paper_terms_document(terms),
            margin_terms=margin_terms_document(margin),
        )
        try:
            with self._sessions.begin() as db:
                db.add(account)
        except IntegrityError as error:
            with self._sessions() as db:
                unfinished = repository.account_by_name(db, owner_id, opening.name)
            if unfinished is None:
                raise
            if unfinished.opened_at is not None or not _in_the_same_words(
                unfinished, opening, terms, margin
            ):
                raise Refused("account_name_taken", "You have an account of this name.") from error
            return unfinished
        return account

    def _note_opened(self, account_id: UUID) -> None:
        with self._sessions.begin() as db:
            repository.note_opened(db, account_id)

    def _books(
        self, account_id: UUID, mode: Mode
    ) -> tuple[
        AccountRow, Decimal | None, Sequence[PositionRow], dict[str, Decimal], Abroad | None
    ]:
        """One moment of the books: all of it is read from the same snapshot."""
        with self._sessions() as db:
            db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            account = repository.account(db, account_id)
            if account is None:
                raise Refused("not_found", "There is no such account.")
            cash = repository.cash(db, account_id, mode)
            positions = repository.positions(db, account_id, mode)
            shard = shard_of(account_id, self._shards)
            marks = repository.marks(db, shard, [row.symbol for row in positions])
            abroad = repository.abroad(db, account, mode, positions)
        return account, cash, positions, marks, abroad


def _at_rates_of(abroad: Abroad, reply: RiskReply) -> Abroad:
    """Balances of the moment that all else is of, at the newest rates."""
    newest = reply.foreign_cash or {}
    cash = {
        currency: replace(held, rate=newest[currency].rate) if currency in newest else held
        for currency, held in abroad.cash.items()
    }
    return replace(abroad, cash=cash)


def _in_the_same_words(
    account: AccountRow, opening: AccountOpening, terms: PaperTerms, margin: MarginTerms | None
) -> bool:
    return (
        account.base_currency == opening.base_currency
        and account.paper_capital == opening.paper_capital
        and parse_paper_terms(account.paper_terms) == terms
        and parse_margin_terms(account.margin_terms) == margin
    )


def _price(text: bytes | None) -> Decimal | None:
    if text is None:
        return None
    try:
        price = Decimal(text.decode("ascii", "replace"))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > 0 else None
