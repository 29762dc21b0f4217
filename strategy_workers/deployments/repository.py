"""SQL of the deployments' edge. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from shared.database.tables import (
    AccountRow,
    DeploymentLogRow,
    DeploymentParametersRow,
    DeploymentPlotRow,
    DeploymentRow,
    InstrumentRow,
    SignalRow,
)


def account_status(session: Session, account_id: UUID) -> str | None:
    return session.execute(
        select(AccountRow.status).where(AccountRow.id == account_id)
    ).scalar_one_or_none()


def tradable(session: Session, symbols: Sequence[str]) -> dict[str, bool]:
    """Of the symbols that are known."""
    rows = session.execute(
        select(InstrumentRow.symbol, InstrumentRow.tradable).where(
            InstrumentRow.symbol.in_(symbols)
        )
    )
    return {row.symbol: row.tradable for row in rows}


def abroad(session: Session, account_id: UUID, symbols: Sequence[str]) -> Sequence[str]:
    """Of the symbols, those that are quoted in another currency than the account's."""
    return session.scalars(
        select(InstrumentRow.symbol)
        .join(AccountRow, AccountRow.base_currency != InstrumentRow.currency)
        .where(AccountRow.id == account_id, InstrumentRow.symbol.in_(symbols))
        .order_by(InstrumentRow.symbol)
    ).all()


def find(
    session: Session, deployment_id: UUID, account_id: UUID, *, for_update: bool = False
) -> DeploymentRow | None:
    wanted = (
        select(DeploymentRow)
        .options(defer(DeploymentRow.snapshot, raiseload=True))
        .where(DeploymentRow.id == deployment_id, DeploymentRow.account_id == account_id)
    )
    return session.execute(wanted.with_for_update() if for_update else wanted).scalar_one_or_none()


def page(
    session: Session, account_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[DeploymentRow]:
    """Newest first."""
    wanted = (
        select(DeploymentRow)
        .options(defer(DeploymentRow.snapshot, raiseload=True))
        .where(DeploymentRow.account_id == account_id)
        .order_by(DeploymentRow.created_at.desc(), DeploymentRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(tuple_(DeploymentRow.created_at, DeploymentRow.id) < before)
    return list(session.execute(wanted).scalars())


def versions(
    session: Session, deployment_id: UUID, before: int | None, limit: int
) -> list[DeploymentParametersRow]:
    """Newest first."""
    wanted = (
        select(DeploymentParametersRow)
        .where(DeploymentParametersRow.deployment_id == deployment_id)
        .order_by(DeploymentParametersRow.version.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(DeploymentParametersRow.version < before)
    return list(session.execute(wanted).scalars())


def logs(
    session: Session, deployment_id: UUID, before: int | None, limit: int
) -> list[DeploymentLogRow]:
    """Newest first."""
    wanted = (
        select(DeploymentLogRow)
        .where(DeploymentLogRow.deployment_id == deployment_id)
        .order_by(DeploymentLogRow.seq.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(DeploymentLogRow.seq < before)
    return list(session.execute(wanted).scalars())


def plots(
    session: Session, deployment_id: UUID, before: int | None, limit: int
) -> list[DeploymentPlotRow]:
    """Newest first."""
    wanted = (
        select(DeploymentPlotRow)
        .where(DeploymentPlotRow.deployment_id == deployment_id)
        .order_by(DeploymentPlotRow.seq.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(DeploymentPlotRow.seq < before)
    return list(session.execute(wanted).scalars())


def signals(
    session: Session, deployment_id: UUID, before: int | None, limit: int
) -> list[SignalRow]:
    """Newest first."""
    wanted = (
        select(SignalRow)
        .where(SignalRow.deployment_id == deployment_id)
        .order_by(SignalRow.seq.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(SignalRow.seq < before)
    return list(session.execute(wanted).scalars())
