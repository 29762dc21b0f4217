"""SQL of backtests. Nothing here commits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select, text, tuple_
from sqlalchemy.orm import Session, defer

from shared.database.tables import BacktestRow, InstrumentRow, MarketFileRow, UserRow

UNFINISHED = ("waiting", "running")
LEASE_KIND = "backtest"

#: Those that nobody works on. Users with fewer running ones come first, then the oldest.
_FREE = text(
    """
    SELECT b.id FROM backtests b
     WHERE (b.status = 'waiting' OR b.status = 'running' AND NOT EXISTS (
               SELECT 1 FROM leases l
                WHERE l.kind = :kind AND l.key = CAST(b.id AS text) AND l.expires_at >= now()))
     ORDER BY (SELECT count(*) FROM backtests r
                WHERE r.owner_id = b.owner_id AND r.status = 'running' AND r.id <> b.id),
              b.created_at
     LIMIT 1
       FOR UPDATE OF b SKIP LOCKED
    """
)


def _rows(*, with_result: bool = False) -> Select[BacktestRow]:
    wanted = select(BacktestRow)
    return wanted if with_result else wanted.options(defer(BacktestRow.result, raiseload=True))


#: The request of a report on a deployment's run holds all of the run.
_NO_REQUEST = defer(BacktestRow.request, raiseload=True)


def lock_user(session: Session, user_id: UUID) -> bool:
    """Whether there is one. Others who count this user's backtests wait."""
    found = session.execute(select(UserRow.id).where(UserRow.id == user_id).with_for_update())
    return found.scalar_one_or_none() is not None


def counts(session: Session, owner_id: UUID) -> tuple[int, int]:
    """The user's unfinished ones, and all."""
    row = session.execute(
        select(
            func.count().filter(BacktestRow.status.in_(UNFINISHED)),
            func.count(),
        ).where(BacktestRow.owner_id == owner_id)
    ).one()
    return row[0], row[1]


def find(
    session: Session,
    backtest_id: UUID,
    owner_id: UUID | None,
    deployment_id: UUID | None = None,
    *,
    for_update: bool = False,
    with_result: bool = False,
) -> BacktestRow | None:
    """`owner_id` None: whoever's. With a deployment, a report on its runs."""
    wanted = _rows(with_result=with_result).where(
        BacktestRow.id == backtest_id, BacktestRow.deployment_id.is_not_distinct_from(deployment_id)
    )
    if owner_id is not None:
        wanted = wanted.where(BacktestRow.owner_id == owner_id)
    return session.execute(wanted.with_for_update() if for_update else wanted).scalar_one_or_none()


def named(session: Session, owner_id: UUID, client_backtest_id: str) -> BacktestRow | None:
    wanted = _rows().where(
        BacktestRow.owner_id == owner_id, BacktestRow.client_backtest_id == client_backtest_id
    )
    return session.execute(wanted).scalar_one_or_none()


def lock(session: Session, backtest_id: UUID) -> BacktestRow | None:
    """Of whichever kind, without its request."""
    return session.execute(_locked(backtest_id).options(_NO_REQUEST)).scalar_one_or_none()


def _locked(backtest_id: UUID) -> Select[BacktestRow]:
    return _rows().where(BacktestRow.id == backtest_id).with_for_update()


def originals(session: Session, rows: list[BacktestRow]) -> dict[UUID, BacktestRow]:
    """Those that `rows` repeat, by id."""
    ids = {row.repeat_of for row in rows if row.repeat_of is not None}
    found = session.execute(_rows().where(BacktestRow.id.in_(ids))).scalars()
    return {row.id: row for row in found}


def page(
    session: Session,
    owner_id: UUID | None,
    status: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[BacktestRow]:
    """Newest first."""
    wanted = _newest(before, limit).where(BacktestRow.deployment_id.is_(None))
    if owner_id is not None:
        wanted = wanted.where(BacktestRow.owner_id == owner_id)
    if status is not None:
        wanted = wanted.where(BacktestRow.status == status)
    return list(session.execute(wanted).scalars())


def parity_page(
    session: Session, deployment_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[BacktestRow, str | None]]:
    """Newest first, without their requests: with the replay that each is of."""
    replay_id = BacktestRow.request["run", "replay_id"].astext
    wanted = _newest(before, limit).where(BacktestRow.deployment_id == deployment_id)
    found = session.execute(wanted.options(_NO_REQUEST).add_columns(replay_id))
    return [(row, replay) for row, replay in found]


def _newest(before: tuple[datetime, UUID] | None, limit: int) -> Select[BacktestRow]:
    wanted = _rows().order_by(BacktestRow.created_at.desc(), BacktestRow.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(tuple_(BacktestRow.created_at, BacktestRow.id) < before)
    return wanted


def instruments(session: Session, symbols: list[str]) -> dict[str, InstrumentRow]:
    found = session.execute(select(InstrumentRow).where(InstrumentRow.symbol.in_(symbols)))
    return {row.symbol: row for row in found.scalars()}


def market_files(session: Session, ids: list[UUID]) -> dict[UUID, MarketFileRow]:
    found = session.execute(select(MarketFileRow).where(MarketFileRow.id.in_(ids)))
    return {row.id: row for row in found.scalars()}


def free_one(session: Session) -> BacktestRow | None:
    """Locked, when there is one."""
    found = session.execute(_FREE, {"kind": LEASE_KIND}).scalar_one_or_none()
    return None if found is None else session.execute(_locked(found)).scalar_one_or_none()
