"""SQL of runs that are to be made again. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from shared.database.tables import (
    AccountRow,
    DeploymentLogRow,
    DeploymentParametersRow,
    DeploymentRow,
    ExecutionRow,
    LedgerEntryRow,
    OrderRow,
    ReplayRow,
)
from strategy_workers.parity.run import Fill, TermsFrom


class Window(NamedTuple):
    """Of the run, by the wall clock; an end of None is still to come."""

    account_id: UUID
    mode: str
    deployment_id: UUID
    start: datetime
    end: datetime | None

    def holds(self, column: Any) -> ColumnElement[bool]:
        known: ColumnElement[bool] = column >= self.start
        return known if self.end is None else and_(known, column < self.end)


def newest_replay(session: Session, deployment: DeploymentRow) -> ReplayRow | None:
    """That it was there for, with one of its symbols."""
    wanted = (
        select(ReplayRow)
        .where(
            or_(ReplayRow.finished_at.is_(None), ReplayRow.finished_at > deployment.created_at),
            ReplayRow.symbols.op("?|")(cast(deployment.symbols, ARRAY(Text))),
            ReplayRow.speed.is_not(None),
        )
        .order_by(ReplayRow.created_at.desc())
        .limit(1)
    )
    if deployment.status == "stopped":
        wanted = wanted.where(ReplayRow.created_at < deployment.updated_at)
    return session.scalars(wanted).one_or_none()


def next_replay_at(session: Session, replay: ReplayRow) -> datetime | None:
    return session.scalar(
        select(func.min(ReplayRow.created_at)).where(ReplayRow.created_at > replay.created_at)
    )


def fills(session: Session, window: Window, most: int) -> list[Fill]:
    """In the account's order; one more than `most` when there are more."""
    rows = session.execute(
        select(
            ExecutionRow.at,
            ExecutionRow.symbol,
            ExecutionRow.side,
            ExecutionRow.qty,
            ExecutionRow.price,
            ExecutionRow.fee,
        )
        .where(*_own(window))
        .order_by(ExecutionRow.seq)
        .limit(most + 1)
    )
    return [Fill(at, symbol, _side(side), *amounts) for at, symbol, side, *amounts in rows]


def _side(side: str) -> Any:
    return side


def _own(window: Window) -> tuple[ColumnElement[bool], ...]:
    return (
        ExecutionRow.account_id == window.account_id,
        ExecutionRow.mode == window.mode,
        ExecutionRow.deployment_id == window.deployment_id,
        window.holds(ExecutionRow.recorded_at),
    )


def terms(session: Session, window: Window) -> list[TermsFrom]:
    """Of its orders from the first that filled to the last: where they begin to be others."""
    span = (
        select(func.min(OrderRow.seq).label("first"), func.max(OrderRow.seq).label("last"))
        .join(ExecutionRow, ExecutionRow.order_id == OrderRow.id)
        .where(*_own(window))
        .subquery()
    )
    rows = session.execute(
        select(OrderRow.submitted_at, OrderRow.paper_terms)
        .where(
            OrderRow.account_id == window.account_id,
            OrderRow.mode == window.mode,
            OrderRow.deployment_id == window.deployment_id,
            OrderRow.seq.between(
                select(span.c.first).scalar_subquery(), select(span.c.last).scalar_subquery()
            ),
        )
        .order_by(OrderRow.seq)
    )
    found: list[TermsFrom] = []
    for at, document in rows:
        if not found or found[-1].paper_terms != document:
            found.append(TermsFrom(at, document))
    return found


def cash_before(session: Session, window: Window, currency: str) -> Decimal | None:
    """None before the books were opened."""
    return session.scalar(
        select(LedgerEntryRow.balance)
        .where(*_entries(window), LedgerEntryRow.currency == currency)
        .where(LedgerEntryRow.recorded_at < window.start)
        .order_by(LedgerEntryRow.seq.desc())
        .limit(1)
    )


def _entries(window: Window) -> tuple[ColumnElement[bool], ...]:
    return (
        LedgerEntryRow.account_id == window.account_id,
        LedgerEntryRow.mode == window.mode,
    )


def versions(
    session: Session, deployment_id: UUID, before: datetime | None
) -> Sequence[DeploymentParametersRow]:
    wanted = (
        select(DeploymentParametersRow)
        .where(DeploymentParametersRow.deployment_id == deployment_id)
        .order_by(DeploymentParametersRow.version)
    )
    if before is not None:
        wanted = wanted.where(DeploymentParametersRow.requested_at < before)
    return session.scalars(wanted).all()


class Circumstances(NamedTuple):
    """What a run that is made again can't know of."""

    #: Executions of others in the same account.
    others: int
    #: Symbols that the account held when it began.
    held: list[str]
    #: Entries that no execution made, besides the account's first.
    cash_moves: int
    pauses: int


def circumstances(session: Session, window: Window) -> Circumstances:
    mine = ExecutionRow.deployment_id == window.deployment_id
    of_account = and_(
        ExecutionRow.account_id == window.account_id, ExecutionRow.mode == window.mode
    )
    others = session.scalar(
        select(func.count()).where(
            of_account,
            window.holds(ExecutionRow.recorded_at),
            or_(~mine, ExecutionRow.deployment_id.is_(None)),
        )
    )
    signed = case((ExecutionRow.side == "buy", ExecutionRow.qty), else_=-ExecutionRow.qty)
    held = session.scalars(
        select(ExecutionRow.symbol)
        .where(of_account, ExecutionRow.recorded_at < window.start)
        .group_by(ExecutionRow.symbol)
        .having(func.sum(signed) != 0)
        .order_by(ExecutionRow.symbol)
    ).all()
    moves = session.scalar(
        select(func.count()).where(
            *_entries(window),
            window.holds(LedgerEntryRow.recorded_at),
            LedgerEntryRow.kind.not_in(("fill", "fee")),
            LedgerEntryRow.seq > 1,
        )
    )
    pauses = session.scalar(
        select(func.count()).where(
            DeploymentLogRow.deployment_id == window.deployment_id,
            DeploymentLogRow.message == "resumed",
            window.holds(DeploymentLogRow.stored_at),
        )
    )
    return Circumstances(others or 0, list(held), moves or 0, pauses or 0)


def account(session: Session, account_id: UUID) -> AccountRow:
    return session.get_one(AccountRow, account_id)
