"""Leases: who owns a shard, a deployment or a feed, with an epoch that fences late writers.

A lease is one row. Taking it over raises its epoch; a writer proves inside its own
transaction that the epoch is still its own (`hold`), which also keeps a rival from taking
over until that transaction ends. Time is Postgres' clock, so the hosts' clocks don't matter.

An owner that freezes inside such a transaction (a stopped process, a paused machine) would keep
its rivals out for as long as it sleeps, expired or not. So Postgres ends a transaction that proved
a lease and then stays idle for `IDLE_TRANSACTION_S`; the sleeper finds its connection closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

#: How long a transaction that touches a lease may leave Postgres without a statement. Set for the
#: rest of the transaction by the statement that touches it: that costs no round trip.
IDLE_TRANSACTION_S = 5
_IDLE = f"{IDLE_TRANSACTION_S}s"


class LeaseLostError(Exception):
    """Another owner holds the lease now: drop the state in memory and write nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """`owner` is never empty: a row without one was returned."""

    kind: str
    key: str
    owner: str
    epoch: int


def acquire(
    connection: Connection,
    kind: str,
    key: str,
    owner: str,
    duration_s: float,
    *,
    leave_returned_s: float = 0.0,
) -> Lease | None:
    """Take a lease that is free, expired or our own; None when another owner holds it.

    One that was returned (`release`) is left to others for `leave_returned_s`, one whose owner
    has died is not. The epoch rises with every acquisition, also when the owner takes its own
    lease again.
    """
    # Before the upsert: it locks the row of another's lease, too, and returns nothing of it.
    connection.execute(
        text("SELECT set_config('idle_in_transaction_session_timeout', :idle, true)"),
        {"idle": _IDLE},
    )
    epoch = connection.execute(
        text(
            """
            INSERT INTO leases AS l (kind, key, owner, epoch, expires_at)
            VALUES (:kind, :key, :owner, 1, now() + make_interval(secs => :duration_s))
            ON CONFLICT (kind, key) DO UPDATE
               SET owner = excluded.owner, epoch = l.epoch + 1, expires_at = excluded.expires_at
             WHERE l.owner = excluded.owner
                OR l.expires_at <= now() - make_interval(
                       secs => CASE l.owner WHEN '' THEN :leave_returned_s ELSE 0 END)
            RETURNING l.epoch
            """
        ),
        {
            "kind": kind,
            "key": key,
            "owner": owner,
            "duration_s": duration_s,
            "leave_returned_s": leave_returned_s,
        },
    ).scalar_one_or_none()
    return None if epoch is None else Lease(kind, key, owner, epoch)


def renew(connection: Connection, lease: Lease, duration_s: float) -> None:
    """Raises LeaseLostError when the epoch has moved on."""
    renewed = connection.execute(
        text(
            """
            UPDATE leases SET expires_at = now() + make_interval(secs => :duration_s)
             WHERE kind = :kind AND key = :key AND epoch = :epoch AND owner = :owner
            RETURNING set_config('idle_in_transaction_session_timeout', :idle, true)
            """
        ),
        {
            "kind": lease.kind,
            "key": lease.key,
            "epoch": lease.epoch,
            "owner": lease.owner,
            "duration_s": duration_s,
            "idle": _IDLE,
        },
    ).scalar_one_or_none()
    if renewed is None:
        raise LeaseLostError(f"{lease.kind}/{lease.key} epoch {lease.epoch}")


def hold(connection: Connection, lease: Lease) -> None:
    """Prove ownership inside the caller's transaction; raises LeaseLostError.

    The row stays share-locked until the transaction ends, so a rival's take-over waits for
    it and then reads everything it committed.
    """
    held = connection.execute(
        text(
            "SELECT set_config('idle_in_transaction_session_timeout', :idle, true) FROM leases"
            " WHERE kind = :kind AND key = :key AND epoch = :epoch FOR SHARE"
        ),
        {"kind": lease.kind, "key": lease.key, "epoch": lease.epoch, "idle": _IDLE},
    ).scalar_one_or_none()
    if held is None:
        raise LeaseLostError(f"{lease.kind}/{lease.key} epoch {lease.epoch}")


#: `hold` as the first statement of a message of several (`shared.database.line`), which fails as a
#: whole with the message "lease_lost". Values: kind, key, epoch.
HOLD = """
    SELECT demand((SELECT true FROM leases
                    WHERE kind = :kind AND key = :key AND epoch = :epoch FOR SHARE), 'lease_lost')
"""


def release(connection: Connection, lease: Lease) -> None:
    """Let the next owner in at once. Harmless when the lease was lost already."""
    connection.execute(
        text(
            """
            UPDATE leases SET owner = '', expires_at = now()
             WHERE kind = :kind AND key = :key AND epoch = :epoch
            """
        ),
        {"kind": lease.kind, "key": lease.key, "epoch": lease.epoch},
    )


# --- many of one kind ------------------------------------------------------------------------

_ACQUIRE_ALL = """
    INSERT INTO leases AS l (kind, key, owner, epoch, expires_at)
    SELECT :kind, mine.key, :owner, 1, now() + make_interval(secs => :duration_s)
      FROM unnest(CAST(:keys AS text[])) AS mine(key) ORDER BY mine.key
    ON CONFLICT (kind, key) DO UPDATE
       SET owner = excluded.owner, epoch = l.epoch + 1, expires_at = excluded.expires_at
     WHERE l.owner = excluded.owner OR l.expires_at <= now()
    RETURNING l.key, l.epoch
"""
_RENEW_ALL = """
    UPDATE leases AS l SET expires_at = now() + make_interval(secs => :duration_s)
      FROM unnest(CAST(:keys AS text[]), CAST(:epochs AS bigint[])) AS mine(key, epoch)
     WHERE l.kind = :kind AND l.key = mine.key AND l.epoch = mine.epoch
    RETURNING l.key, set_config('idle_in_transaction_session_timeout', :idle, true)
"""
_HOLD_ALL = """
    SELECT l.key, set_config('idle_in_transaction_session_timeout', :idle, true)
      FROM leases AS l, unnest(CAST(:keys AS text[]), CAST(:epochs AS bigint[])) AS mine(key, epoch)
     WHERE l.kind = :kind AND l.key = mine.key AND l.epoch = mine.epoch
     ORDER BY l.key
       FOR SHARE OF l
"""
_RELEASE_ALL = """
    UPDATE leases AS l SET owner = '', expires_at = now()
      FROM unnest(CAST(:keys AS text[]), CAST(:epochs AS bigint[])) AS mine(key, epoch)
     WHERE l.kind = :kind AND l.key = mine.key AND l.epoch = mine.epoch
    RETURNING l.key
"""


def acquire_all(
    connection: Connection, kind: str, keys: Sequence[str], owner: str, duration_s: float
) -> list[Lease]:
    """`acquire` for many in one statement; those that another holds are left out."""
    connection.execute(
        text("SELECT set_config('idle_in_transaction_session_timeout', :idle, true)"),
        {"idle": _IDLE},
    )
    taken = connection.execute(
        text(_ACQUIRE_ALL),
        {"kind": kind, "keys": list(keys), "owner": owner, "duration_s": duration_s},
    )
    return [Lease(kind, row.key, owner, row.epoch) for row in taken]


def renew_all(connection: Connection, leases: Sequence[Lease], duration_s: float) -> list[Lease]:
    """Renew leases of one kind in one statement; those that are still held."""
    return _still_held(connection, _RENEW_ALL, leases, duration_s=duration_s, idle=_IDLE)


def hold_all(connection: Connection, leases: Sequence[Lease]) -> list[Lease]:
    """`hold` for leases of one kind in one statement; those that are still held."""
    return _still_held(connection, _HOLD_ALL, leases, idle=_IDLE)


def release_all(connection: Connection, leases: Sequence[Lease]) -> None:
    _still_held(connection, _RELEASE_ALL, leases)


def _still_held(
    connection: Connection, statement: str, leases: Sequence[Lease], **values: float | str
) -> list[Lease]:
    if not leases:
        return []
    held = set(
        connection.execute(
            text(statement),
            {
                "kind": leases[0].kind,
                "keys": [lease.key for lease in leases],
                "epochs": [lease.epoch for lease in leases],
                **values,
            },
        ).scalars()
    )
    return [lease for lease in leases if lease.key in held]
