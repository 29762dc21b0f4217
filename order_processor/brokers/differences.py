"""What the books and the broker don't agree on, kept until they do or for good."""

from uuid import UUID

import structlog
from sqlalchemy import Connection, text

from order_processor.metrics import BROKER_DIFFERENCES
from order_processor.shards.batch import ComparedRecord

log = structlog.get_logger()

#: New differences only are told of: `xmax` is 0 in a row that was inserted.
_PUT = text(
    """
    INSERT INTO broker_differences AS d (account_id, kind, subject, ours, theirs)
    VALUES (:account_id, :kind, :subject, :ours, :theirs)
    ON CONFLICT (account_id, kind, subject) DO UPDATE
       SET ours = excluded.ours, theirs = excluded.theirs, seen_at = now(), gone_at = NULL
     WHERE (d.ours, d.theirs) <> (excluded.ours, excluded.theirs) OR d.gone_at IS NOT NULL
    RETURNING 1
    """
)
_GONE = text(
    """
    UPDATE broker_differences SET gone_at = now()
     WHERE account_id = :account_id AND kind IN ('cash', 'position') AND gone_at IS NULL
       AND NOT (kind || ' ' || subject) = ANY(:still)
    """
)


def write_compared(connection: Connection, record: ComparedRecord) -> None:
    account_id: UUID = record.account_id
    if record.compared.whole:
        still = [f"{each.kind} {each.subject}" for each in record.compared.differences]
        connection.execute(_GONE, {"account_id": account_id, "still": still})
    for each in record.compared.differences:
        told = {
            "account_id": account_id,
            "kind": each.kind,
            "subject": each.subject,
            "ours": each.ours,
            "theirs": each.theirs,
        }
        if connection.execute(_PUT, told).one_or_none() is not None:
            BROKER_DIFFERENCES.labels(each.kind).inc()
            log.error("broker_differs", **{**told, "account_id": str(account_id)})
