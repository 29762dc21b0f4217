"""SQL of the runtime. Nothing here commits."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Connection, case, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from shared.database.tables import (
    AccountRow,
    DeploymentLogRow,
    DeploymentPlotRow,
    DeploymentRow,
    InstrumentRow,
    SignalRow,
    utc_now,
)
from shared.models.margin import parse_margin_terms
from strategy_workers.runtime.deployment import DeploymentRecord
from strategy_workers.runtime.desk import Lots, Signal
from strategy_workers.runtime.lines import Line
from strategy_workers.runtime.plots import Point


class Wish(NamedTuple):
    """What becomes of a deployment that should not run."""

    wanted: str
    pause_orders: str
    #: Why it has to wait although it is wanted; None when it isn't wanted.
    hold: str | None = None


class Change(NamedTuple):
    """Parameters, or another version of the code, that wait for their first mark."""

    version: int
    parameters: dict[str, Any]
    strategy_version: int | None = None


#: Log lines of each deployment.
LINES_KEPT = 1000
#: Points of its plots.
POINTS_KEPT = 10_000
#: Of an error, in the sentence that tells of it.
_LAST_LINE_CHARS = 300

#: Why a deployment can't go on by itself: its market is silent, or its broker isn't there. The
#: latter also until the books have been compared with the broker's for the first time.
_WAITS_FOR = """
    coalesce(
        (SELECT min(s.reason) FROM silent_symbols s WHERE d.symbols ? s.symbol),
        CASE WHEN d.mode = 'live' AND NOT (
            EXISTS (SELECT 1 FROM broker_connections b
                     WHERE b.account_id = d.account_id AND b.state = 'ready'
                       AND b.credentials IS NOT NULL)
            AND EXISTS (SELECT 1 FROM ledger_entries e
                         WHERE e.account_id = d.account_id AND e.mode = 'live'))
        THEN 'broker_not_ready' END)
"""
_UNWANTED = text(
    f"""
    SELECT id, wanted, pause_orders, hold
      FROM (SELECT d.id, d.wanted, d.pause_orders, {_WAITS_FOR} AS hold
              FROM deployments d WHERE d.id = ANY(:ids)) AS found
     WHERE wanted <> 'running' OR hold IS NOT NULL
    """  # noqa: S608 - ours
)
_RELEASE = text(
    f"""
    UPDATE deployments SET status = 'starting', hold = NULL, updated_at = now()
     WHERE id IN (SELECT id FROM deployments d
                   WHERE hold IS NOT NULL AND status = 'paused' AND wanted = 'running'
                     AND {_WAITS_FOR} IS NULL
                   ORDER BY id FOR UPDATE)
    """  # noqa: S608 - ours
)


def unowned(connection: Connection, limit: int) -> list[UUID]:
    """Deployments that want a worker and have none, oldest first."""
    return list(
        connection.execute(
            text(
                """
                SELECT d.id FROM deployments d
                  LEFT JOIN leases l ON l.kind = 'deployment' AND l.key = d.id::text
                 WHERE (d.status IN ('starting', 'running')
                        OR (d.status = 'paused' AND d.wanted = 'stopped'))
                   AND (l.expires_at IS NULL OR l.expires_at < now())
                 ORDER BY d.created_at, d.id
                 LIMIT :limit
                """
            ),
            {"limit": limit},
        ).scalars()
    )


def unwanted(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Wish]:
    """Those that should not run: `stopped`, `paused`, or without the market or the broker that
    they depend on."""
    rows = connection.execute(_UNWANTED, {"ids": list(ids)})
    return {
        row.id: Wish(row.wanted, "cancel_entries", row.hold)
        if row.wanted == "running"
        else Wish(row.wanted, row.pause_orders)
        for row in rows
    }


def release_held(connection: Connection) -> None:
    """What waited for its market or its broker begins again when that is there. Not what somebody
    has paused."""
    connection.execute(_RELEASE)


def changed(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Change]:
    rows = select(
        DeploymentRow.id,
        DeploymentRow.parameters_version,
        DeploymentRow.parameters,
        DeploymentRow.strategy_version,
    ).where(
        DeploymentRow.id.in_(ids),
        DeploymentRow.parameters_version != DeploymentRow.applied_version,
    )
    return {
        row.id: Change(row.parameters_version, row.parameters, row.strategy_version)
        for row in connection.execute(rows)
    }


def snapshot(connection: Connection, deployment_id: UUID) -> bytes | None:
    return connection.execute(
        select(DeploymentRow.snapshot).where(DeploymentRow.id == deployment_id)
    ).scalar_one()


def load(connection: Connection, deployment_id: UUID) -> DeploymentRecord:
    [record] = load_all(connection, [deployment_id])
    return record


def load_all(connection: Connection, ids: Sequence[UUID]) -> list[DeploymentRecord]:
    """Oldest first."""
    table = DeploymentRow.__table__.c
    rows = (
        connection.execute(
            select(DeploymentRow.__table__)
            .where(table.id.in_(ids))
            .order_by(table.created_at, table.id)
        )
        .mappings()
        .all()
    )
    known = connection.execute(
        select(InstrumentRow.symbol, InstrumentRow.lot_size, InstrumentRow.tick_size).where(
            InstrumentRow.symbol.in_({symbol for row in rows for symbol in row["symbols"]})
        )
    )
    lots = {symbol: Lots(lot, tick) for symbol, lot, tick in known}
    stored = connection.execute(
        select(AccountRow.id, AccountRow.margin_terms).where(
            AccountRow.id.in_({row["account_id"] for row in rows})
        )
    )
    margins = {account_id: parse_margin_terms(terms) for account_id, terms in stored}
    return [
        DeploymentRecord(
            id=row["id"],
            account_id=row["account_id"],
            mode=row["mode"],
            strategy=row["strategy"],
            parameters=row["parameters"],
            symbols=tuple(row["symbols"]),
            timeframe=row["timeframe"],
            wanted=row["wanted"],
            status=row["status"],
            snapshot=row["snapshot"],
            lots={symbol: lots[symbol] for symbol in row["symbols"] if symbol in lots},
            margin=margins[row["account_id"]] if row["mode"] == "paper" else None,
            version=row["parameters_version"],
            strategy_version=row["strategy_version"],
            pause_orders=row["pause_orders"],
        )
        for row in rows
    ]


def account_frames(
    connection: Connection, after: Mapping[str, int]
) -> dict[str, list[tuple[int, bytes]]]:
    """By topic, oldest first; topics without any are left out."""
    rows = connection.execute(
        text(
            """
            SELECT e.topic, e.topic_seq, e.frame
              FROM unnest(CAST(:topics AS text[]), CAST(:seqs AS bigint[])) AS known (topic, seq)
              JOIN account_events e ON e.topic = known.topic AND e.topic_seq > known.seq
             ORDER BY e.topic, e.topic_seq
            """
        ),
        {"topics": list(after), "seqs": list(after.values())},
    )
    frames: dict[str, list[tuple[int, bytes]]] = {}
    for topic, seq, frame in rows:
        frames.setdefault(topic, []).append((seq, bytes(frame)))
    return frames


def store_snapshots(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of id, snapshot, cursor, signals and version; those deployments are `running`."""
    connection.execute(
        text(
            """
            UPDATE deployments AS d SET snapshot = s.snapshot, tape_cursor = s.cursor,
                   signals = s.signals, applied_version = s.version, status = 'running',
                   updated_at = now()
              FROM unnest(CAST(:id AS uuid[]), CAST(:snapshot AS bytea[]), CAST(:cursor AS text[]),
                          CAST(:signals AS bigint[]), CAST(:version AS integer[]))
                       AS s (id, snapshot, cursor, signals, version)
             WHERE d.id = s.id
            """
        ),
        _columns(rows, "id", "snapshot", "cursor", "signals", "version"),
    )


def store_first_marks(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of id, version, cursor, market time and platform's code, of versions that decide from
    there on."""
    if rows:
        connection.execute(
            text(
                """
                UPDATE deployment_parameters AS p SET tape_id = s.cursor,
                       applied_at = s.applied_at, code_version = s.code_version
                  FROM unnest(CAST(:id AS uuid[]), CAST(:version AS integer[]),
                              CAST(:cursor AS text[]), CAST(:applied_at AS timestamptz[]),
                              CAST(:code_version AS text[]))
                           AS s (id, version, cursor, applied_at, code_version)
                 WHERE p.deployment_id = s.id AND p.version = s.version AND p.tape_id IS NULL
                """
            ),
            _columns(rows, "id", "version", "cursor", "applied_at", "code_version"),
        )


def _columns(rows: Sequence[Mapping[str, Any]], *names: str) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def store_signals(connection: Connection, signals: Sequence[tuple[UUID, int, Signal]]) -> None:
    """A signal that is there already came with a commit whose answer was lost."""
    if not signals:
        return
    connection.execute(
        insert_or_skip(SignalRow).on_conflict_do_nothing(),
        [
            {
                "deployment_id": deployment_id,
                "seq": seq,
                "symbol": signal.symbol,
                "side": signal.side,
                "reason": signal.reason,
                "at": signal.at,
            }
            for deployment_id, seq, signal in signals
        ],
    )


def store_lines(connection: Connection, lines: Mapping[UUID, Sequence[tuple[int, Line]]]) -> None:
    """Only the newest are kept. A line that is there already came with a commit whose answer was
    lost."""
    rows = [
        {
            "deployment_id": deployment_id,
            "seq": seq,
            "level": line.level,
            "message": line.message,
            "fields": line.fields,
            "at": line.at,
        }
        for deployment_id, its in lines.items()
        for seq, line in its
    ]
    if not rows:
        return
    connection.execute(insert_or_skip(DeploymentLogRow).on_conflict_do_nothing(), rows)
    _delete_outdated(connection, "deployment_logs", lines, LINES_KEPT)


def store_points(
    connection: Connection, points: Mapping[UUID, Sequence[tuple[int, Point]]]
) -> None:
    """As lines are."""
    rows = [
        {"deployment_id": deployment_id, "seq": seq, **msgspec.structs.asdict(point)}
        for deployment_id, its in points.items()
        for seq, point in its
    ]
    if not rows:
        return
    connection.execute(insert_or_skip(DeploymentPlotRow).on_conflict_do_nothing(), rows)
    _delete_outdated(connection, "deployment_plots", points, POINTS_KEPT)


def _delete_outdated(
    connection: Connection,
    table: Literal["deployment_logs", "deployment_plots"],
    stored: Mapping[UUID, Sequence[tuple[int, object]]],
    kept: int,
) -> None:
    outdated = [
        {"id": deployment_id, "last": its[-1][0] - kept}
        for deployment_id, its in stored.items()
        if its and its[-1][0] > kept
    ]
    if outdated:
        connection.execute(
            text(f"DELETE FROM {table} WHERE deployment_id = :id AND seq <= :last"),  # noqa: S608
            outdated,
        )


def give_up(connection: Connection, deployment_id: UUID, why: str) -> None:
    """Its hook holds its worker, which ends: the next one must not run it."""
    connection.execute(
        update(DeploymentRow)
        .where(DeploymentRow.id == deployment_id, DeploymentRow.wanted == "running")
        .values(
            wanted="paused", pause_orders="cancel_entries", last_error=why, updated_at=utc_now()
        )
    )


def set_status(
    connection: Connection,
    deployment_id: UUID,
    status: str,
    last_error: str | None,
    hold: str | None = None,
) -> None:
    """`last_error` None keeps the one that is there. What was resumed while it was being suspended
    begins again; what was paused or stopped while it was made to wait is taken up for that."""
    values: dict[str, Any] = {"status": status, "hold": None, "updated_at": utc_now()}
    is_wanted = DeploymentRow.wanted == "running"
    if hold is not None:
        values["status"] = case((is_wanted, "paused"), else_="starting")
        values["hold"] = case((is_wanted, hold), else_=None)
    elif status == "paused" and last_error is None:
        values["status"] = case((is_wanted, "starting"), else_="paused")
    if last_error is not None:
        values["last_error"] = last_error
    connection.execute(
        update(DeploymentRow).where(DeploymentRow.id == deployment_id).values(**values)
    )
    if last_error is not None:
        _tell_owner(connection, deployment_id, last_error)


def _tell_owner(connection: Connection, deployment_id: UUID, error: str) -> None:
    """Of the error that ended it; the traceback is in the context."""
    connection.execute(
        text(
            """
            INSERT INTO notifications
                   (user_id, account_id, mode, deployment_id, severity, code, text, context)
            SELECT a.owner_id, a.id, d.mode, d.id, 'critical', 'strategy_failed',
                   'The strategy ' || d.strategy || ' failed: ' || :last_line,
                   jsonb_build_object('strategy', d.strategy, 'traceback', CAST(:error AS text))
              FROM deployments d JOIN accounts a ON a.id = d.account_id
             WHERE d.id = :deployment_id
            """
        ),
        {
            "deployment_id": deployment_id,
            "error": error,
            "last_line": error.rstrip().rpartition("\n")[2][:_LAST_LINE_CHARS],
        },
    )
