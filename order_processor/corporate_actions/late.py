"""What was held when a split or dividend should have come that was announced too late for it.

Exact, because executions are never changed: what is held now, less what was traded since.
"""

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from shared.models.identifiers import Mode
from shared.redis.keys import shard_of
from shared.trading.amounts import plain
from shared.trading.corporate_actions import CorporateAction


class HeldThen(NamedTuple):
    """Books whose position has changed since."""

    account_id: UUID
    mode: Mode
    #: Number of the last execution before it, and what was held after that.
    execution_seq: int
    qty: Decimal
    #: Executions from before it came after ones of later: nobody knows what was held when.
    unclear: bool


_MOVED_SINCE = text(
    """
    SELECT account_id FROM positions
     WHERE symbol = :symbol AND mode = 'paper' AND updated_at >= :at
    """
)
#: A split that has come since says itself what was held before it.
_CHANGED_SINCE = text(
    """
    SELECT p.account_id, p.mode, s.before_seq, s.unclear,
           coalesce(l.qty_before, p.qty) - (
               SELECT coalesce(sum(CASE e.side WHEN 'buy' THEN e.qty ELSE -e.qty END), 0)
                 FROM executions e
                WHERE e.account_id = p.account_id AND e.mode = p.mode AND e.symbol = p.symbol
                  AND e.seq > s.before_seq AND (l.execution_seq IS NULL OR e.seq <= l.execution_seq)
           ) AS qty
      FROM positions p
      CROSS JOIN LATERAL (
          SELECT coalesce(max(e.seq) FILTER (WHERE e.at < :at), 0) AS before_seq,
                 coalesce(max(e.seq) FILTER (WHERE e.at < :at)
                          > min(e.seq) FILTER (WHERE e.at >= :at), false) AS unclear
            FROM executions e
           WHERE e.account_id = p.account_id AND e.mode = p.mode AND e.symbol = p.symbol
      ) AS s
      LEFT JOIN LATERAL (
          SELECT c.qty_before, c.execution_seq
            FROM corporate_action_effects c JOIN corporate_actions a ON a.id = c.action_id
           WHERE c.account_id = p.account_id AND c.mode = p.mode AND a.symbol = p.symbol
             AND a.kind = 'split' AND a.id <> :id AND a.effective_at >= :at
             AND c.execution_seq >= s.before_seq
           ORDER BY a.effective_at LIMIT 1
      ) AS l ON true
     WHERE p.symbol = :symbol AND p.mode = 'paper' AND p.account_id = ANY(:accounts)
       AND NOT EXISTS (SELECT 1 FROM corporate_action_effects c
                        WHERE c.account_id = p.account_id AND c.mode = p.mode AND c.action_id = :id)
     ORDER BY p.account_id
    """
)


def held_then(
    connection: Connection, action: CorporateAction, shard: int, shards: int
) -> list[HeldThen]:
    """Of the shard's books that held something then, or of which that is unclear. Executions are
    gone through for those alone."""
    of = {"symbol": action.symbol, "at": action.effective_at}
    moved = connection.execute(_MOVED_SINCE, of).scalars()
    accounts = [each for each in moved if shard_of(each, shards) == shard]
    if not accounts:
        return []
    rows = connection.execute(_CHANGED_SINCE, {**of, "id": action.id, "accounts": accounts})
    return [
        HeldThen(row.account_id, row.mode, row.before_seq, plain(row.qty), row.unclear)
        for row in rows
        if row.qty or row.unclear
    ]
