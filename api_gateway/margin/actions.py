"""Kinds of accounts. What an account may become, the order processor decides: it has the books."""

from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.accounts import repository
from api_gateway.errors import Refused
from api_gateway.margin.schemas import (
    MarginCallView,
    MarginChange,
    MarginFiguresView,
    MarginTermsView,
    MarginView,
    changed,
)
from api_gateway.orders.requests import OrderProcessor
from api_gateway.origin import current_origin
from api_gateway.values import view
from shared.models.identifiers import Mode
from shared.models.margin import MarginTerms
from shared.models.risk import ChangeMargin, RiskReply, SeeRisk


class Margin:
    def __init__(self, sessions: sessionmaker[Session], processor: OrderProcessor) -> None:
        self._sessions = sessions
        self._processor = processor

    async def stand(self, account_id: UUID, mode: Mode) -> MarginView:
        reply = await self._processor.risk(SeeRisk, account_id, mode)
        return _view(account_id, mode, reply)

    async def change(self, account_id: UUID, user_id: UUID, change: MarginChange) -> MarginView:
        terms = await run_in_threadpool(self._changed, account_id, change)
        reply = await self._processor.risk(
            ChangeMargin,
            account_id,
            change.mode,
            submitted_by=f"user:{user_id}",
            origin=current_origin(),
            terms=terms,
        )
        return _view(account_id, change.mode, reply)

    def _changed(self, account_id: UUID, change: MarginChange) -> MarginTerms | None:
        with self._sessions() as db:
            account = repository.account(db, account_id)
        if account is None:
            raise Refused("not_found", "There is no such account.")
        return changed(account.margin_terms, change.kind, change)


def _view(account_id: UUID, mode: Mode, reply: RiskReply) -> MarginView:
    terms, figures, call = reply.margin_terms, reply.margin, reply.state.margin_call
    return MarginView(
        account_id=account_id,
        mode=mode,
        kind="cash" if terms is None else "margin",
        terms=None if terms is None else view(MarginTermsView, terms),
        figures=None if figures is None else view(MarginFiguresView, figures),
        call=None if call is None else view(MarginCallView, call),
    )
