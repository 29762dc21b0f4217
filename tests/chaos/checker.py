"""What must hold when everything has calmed down, read from the tables and nothing else."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from order_processor.verification.repository import BooksReader
from tests.chaos.traffic import Trader

#: Each finds what must not be: (what is wrong, a query whose rows are it).
_WRONG = [
    (
        "an execution without its ledger entry",
        "SELECT e.id FROM executions e LEFT JOIN ledger_entries l"
        " ON l.execution_id = e.id AND l.kind = 'fill' WHERE l.execution_id IS NULL",
    ),
    (
        "a ledger entry twice, or without its execution",
        "SELECT l.execution_id FROM ledger_entries l LEFT JOIN executions e"
        " ON e.id = l.execution_id WHERE l.kind IN ('fill', 'fee')"
        " GROUP BY l.execution_id, l.kind HAVING count(e.id) <> 1",
    ),
    (
        "an order filled by something else than its executions",
        "SELECT o.id FROM orders o LEFT JOIN executions e ON e.order_id = o.id"
        " GROUP BY o.id HAVING o.filled_qty <> coalesce(sum(e.qty), 0) OR o.filled_qty > o.qty",
    ),
    (
        "an order whose transitions have a gap, or end elsewhere",
        "SELECT o.id FROM orders o JOIN order_transitions t ON t.order_id = o.id"
        " GROUP BY o.id HAVING count(*) <> max(t.seq) OR min(t.seq) <> 1"
        " OR (array_agg(t.to_status ORDER BY t.seq DESC))[1] <> o.status",
    ),
    (
        "an order without transitions",
        "SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM order_transitions)",
    ),
    (
        "a topic with a gap in its numbers",
        "SELECT topic FROM account_events GROUP BY topic"
        " HAVING min(topic_seq) <> 1 OR count(*) <> max(topic_seq)",
    ),
    (
        "an execution that was never told",
        "SELECT account_id FROM executions e GROUP BY account_id HAVING count(*) <>"
        " (SELECT count(*) FROM account_events v WHERE v.account_id = e.account_id"
        " AND v.topic LIKE '%.executions')",
    ),
    (
        "events that nobody published",
        "SELECT shard FROM order_shards s WHERE published_seq <> event_seq OR event_seq <>"
        " (SELECT coalesce(max(seq), 0) FROM account_events e WHERE e.shard = s.shard)",
    ),
]  # fmt: skip


def rows(engine: Engine, sql: str, **parameters: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(sql), parameters))


def check(engine: Engine, traders: Sequence[Trader]) -> None:
    for wrong, query in _WRONG:
        assert rows(engine, query) == [], wrong
    stored = {
        row.client_order_id: row
        for row in rows(engine, "SELECT id, client_order_id, account_id, status FROM orders")
    }
    count = rows(engine, "SELECT count(*) FROM orders")[0][0]
    assert len(stored) == count, "an order is there twice"
    for trader in traders:
        _check_answers(engine, trader, stored)
        assert BooksReader(engine).check(trader.account, "paper")[0] == []
    sent = {name for trader in traders for name in trader.sent}
    assert set(stored) <= sent, "an order that nobody sent"


def _check_answers(engine: Engine, trader: Trader, stored: dict[str, Any]) -> None:
    for name, (_, order) in trader.orders.items():
        assert name in stored, f"acknowledged and gone: {order}"
        assert (stored[name].id, stored[name].account_id) == (order.id, trader.account)
        if order.status == "rejected":
            assert stored[name].status == "rejected", order
    statuses = {row.id: row.status for row in stored.values()}
    for order_id in trader.cancelled:
        assert statuses[order_id] == "cancelled", order_id
    entries = rows(
        engine,
        "SELECT client_entry_id FROM ledger_entries WHERE account_id = :a AND kind = 'deposit'"
        " AND client_entry_id IS NOT NULL",
        a=trader.account,
    )
    # Every deposit was answered before its trader went on.
    assert sorted(row[0] for row in entries) == sorted(trader.deposits)
