"""SQL of uploaded strategies. Nothing here commits."""

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, defer

from shared.database.tables import DeploymentRow, StrategyVersionRow
from shared.service.problems import Problem


def lock_name(session: Session, strategy: str) -> None:
    """Until the transaction ends, nobody else decides on this name."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('strategy:' || :name, 0))"),
        {"name": strategy},
    )


def newest(session: Session, strategy: str) -> StrategyVersionRow | None:
    return session.scalars(
        select(StrategyVersionRow)
        .where(StrategyVersionRow.strategy == strategy)
        .order_by(StrategyVersionRow.version.desc())
        .limit(1)
    ).one_or_none()


def newest_approved(session: Session, strategy: str) -> StrategyVersionRow | None:
    return session.scalars(
        select(StrategyVersionRow)
        .where(StrategyVersionRow.strategy == strategy, StrategyVersionRow.status == "approved")
        .order_by(StrategyVersionRow.version.desc())
        .limit(1)
    ).one_or_none()


def find(
    session: Session, strategy: str, version: int, *, for_update: bool = False
) -> StrategyVersionRow | None:
    return session.get(StrategyVersionRow, (strategy, version), with_for_update=for_update)


def versions(session: Session, strategy: str) -> Sequence[StrategyVersionRow]:
    """Newest first, without their code."""
    return session.scalars(
        select(StrategyVersionRow)
        .where(StrategyVersionRow.strategy == strategy)
        .order_by(StrategyVersionRow.version.desc())
        .options(defer(StrategyVersionRow.files))
    ).all()


def all_approved(session: Session) -> Sequence[StrategyVersionRow]:
    """The newest approved version of each, by name."""
    return session.scalars(
        select(StrategyVersionRow)
        .where(StrategyVersionRow.status == "approved")
        .ext(distinct_on(StrategyVersionRow.strategy))
        .order_by(StrategyVersionRow.strategy, StrategyVersionRow.version.desc())
    ).all()


def count_uploaded(session: Session, author_id: object) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                StrategyVersionRow.author_id == author_id, StrategyVersionRow.status != "removed"
            )
        )
        or 0
    )


def check_approved(session: Session, strategy: str, version: int | None) -> None:
    """Until the transaction ends it can't be removed. Raises Problem."""
    if version is None:
        return
    status = session.scalar(
        select(StrategyVersionRow.status)
        .where(StrategyVersionRow.strategy == strategy, StrategyVersionRow.version == version)
        .with_for_update(read=True)
    )
    if status != "approved":
        raise Problem(422, "strategy_not_approved", f"Version {version} of {strategy} is {status}.")


def running(session: Session, strategy: str, version: int) -> int:
    """Deployments that this version is wanted for, or still decides in."""
    return (
        session.scalar(
            select(func.count()).where(
                DeploymentRow.strategy == strategy,
                DeploymentRow.strategy_version == version,
                DeploymentRow.status != "stopped",
            )
        )
        or 0
    )
