"""SQL of an account and a deployment's orders as the books have them. Nothing here commits."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select, text

from shared.database.tables import OrderRow
from shared.models.identifiers import Mode
from shared.models.topics import account_topic
from shared.trading.amounts import ZERO
from strategy_workers.runtime.holdings import NOTHING, Holding, after_own, left_of
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.working_order import WorkingOrder

_WORKING = ("new", "held", "accepted", "partially_filled")


class Working(NamedTuple):
    id: UUID
    client_order_id: str
    #: It would open a position, or add to one; others close what there is.
    adds: bool


_CASH = text(
    """
    SELECT k.place,
           (SELECT l.balance FROM ledger_entries l
             WHERE l.account_id = k.account_id AND l.mode = k.mode AND l.currency = a.base_currency
             ORDER BY l.seq DESC LIMIT 1) AS cash,
           (SELECT max(e.topic_seq) FROM account_events e WHERE e.topic = k.orders) AS orders_seq,
           (SELECT max(e.topic_seq) FROM account_events e WHERE e.topic = k.executions)
               AS executions_seq
      FROM unnest(CAST(:accounts AS uuid[]), CAST(:modes AS text[]), CAST(:orders AS text[]),
                  CAST(:executions AS text[])) WITH ORDINALITY
               AS k (account_id, mode, orders, executions, place)
      JOIN accounts a ON a.id = k.account_id
     ORDER BY k.place
    """
)
#: What is held in other currencies is not a strategy's: its amounts would not add up.
_HOLDINGS = text(
    """
    SELECT k.place, p.symbol, p.qty, p.avg_price
      FROM unnest(CAST(:accounts AS uuid[]), CAST(:modes AS text[])) WITH ORDINALITY
               AS k (account_id, mode, place)
      JOIN accounts a ON a.id = k.account_id
      JOIN positions p ON p.account_id = k.account_id AND p.mode = k.mode AND p.qty <> 0
      LEFT JOIN instruments i ON i.symbol = p.symbol
     WHERE coalesce(i.currency, a.base_currency) = a.base_currency
     ORDER BY k.place, p.symbol
    """
)


def read_books(
    connection: Connection, account_id: UUID, mode: Mode, deployment_id: UUID
) -> Portfolio:
    """Needs a transaction that sees one moment (repeatable read)."""
    [portfolio] = read_all_books(connection, [(account_id, mode)])
    portfolio.own = _own(connection, account_id, mode, deployment_id)
    portfolio.working = _working(connection, deployment_id)
    return portfolio


def read_all_books(
    connection: Connection, accounts: Sequence[tuple[UUID, Mode]]
) -> list[Portfolio]:
    """In their order, as of deployments that have never sent an order. Likewise."""
    keys = {
        "accounts": [account_id for account_id, _ in accounts],
        "modes": [mode for _, mode in accounts],
    }
    topics = {
        "orders": [account_topic(*one, "orders") for one in accounts],
        "executions": [account_topic(*one, "executions") for one in accounts],
    }
    found = [
        Portfolio(
            cash=ZERO if row.cash is None else row.cash,
            orders_seq=row.orders_seq or 0,
            executions_seq=row.executions_seq or 0,
        )
        for row in connection.execute(_CASH, {**keys, **topics})
    ]
    for place, symbol, qty, price in connection.execute(_HOLDINGS, keys):
        found[place - 1].holdings[symbol] = Holding(qty, price)
    return found


def _own(
    connection: Connection, account_id: UUID, mode: Mode, deployment_id: UUID
) -> dict[str, Holding]:
    """All executions from its first one on, gone through as they came, and between them what was
    converted from or to it, and what splits made of the account's position. Of one place among the
    executions, what was stored first comes first."""
    rows = connection.execute(
        text(
            """
            WITH events AS (
                SELECT symbol, side, qty, price, seq,
                       CAST('-infinity' AS timestamptz) AS stored_at,
                       CAST('-infinity' AS timestamptz) AS at, 0 AS number,
                       deployment_id IS NOT DISTINCT FROM :deployment AS mine,
                       CASE side WHEN 'buy' THEN qty ELSE -qty END AS traded
                  FROM executions WHERE account_id = :account AND mode = :mode
                UNION ALL
                SELECT symbol,
                       CASE WHEN (to_deployment_id IS NOT DISTINCT FROM :deployment) = (qty > 0)
                            THEN 'buy' ELSE 'sell' END,
                       abs(qty), round(cost / qty, 12), execution_seq, recorded_at, at, number,
                       true, 0
                  FROM position_conversions
                 WHERE account_id = :account AND mode = :mode
                   AND :deployment IN (from_deployment_id, to_deployment_id)
                UNION ALL
                SELECT a.symbol, 'buy', 0, c.price, c.execution_seq, c.recorded_at, a.effective_at,
                       0, false, c.qty_after - c.qty_before
                  FROM corporate_action_effects c JOIN corporate_actions a ON a.id = c.action_id
                 WHERE c.account_id = :account AND c.mode = :mode AND a.kind = 'split'
                   AND c.price IS NOT NULL
            )
            SELECT symbol, side, qty, price, mine, account_qty
              FROM (SELECT *, sum(traded) OVER (PARTITION BY symbol
                                                ORDER BY seq, stored_at, at, number) AS account_qty
                      FROM events) AS all_of_them
             WHERE seq >= (SELECT min(seq) FROM events WHERE mine)
             ORDER BY seq, stored_at, at, number
            """
        ),
        {"account": account_id, "mode": mode, "deployment": deployment_id},
    )
    own: dict[str, Holding] = {}
    for symbol, side, qty, price, mine, account_qty in rows:
        holding = own.get(symbol, NOTHING)
        if mine:
            holding = after_own(holding, side, qty, price)
        own[symbol] = left_of(holding, account_qty)
    return own


def _working(connection: Connection, deployment_id: UUID) -> dict[str, WorkingOrder]:
    rows = connection.execute(
        select(
            OrderRow.client_order_id,
            OrderRow.symbol,
            OrderRow.side,
            OrderRow.qty - OrderRow.filled_qty,
            OrderRow.limit_price,
            OrderRow.stop_price,
            OrderRow.id,
            OrderRow.filled_qty,
            OrderRow.group_id,
            OrderRow.group_role,
        )
        .where(OrderRow.deployment_id == deployment_id, OrderRow.status.in_(_WORKING))
        .order_by(OrderRow.seq)
    )
    return {
        row.client_order_id: WorkingOrder(
            symbol=row.symbol,
            side=row.side,
            open_qty=row[3],
            limit_price=row.limit_price,
            stop_price=row.stop_price,
            order_id=row.id,
            filled_qty=row.filled_qty,
            group=None if row.group_id is None else str(row.group_id),
            role=row.group_role,
        )
        for row in rows
    }


def working_orders(
    connection: Connection, account_id: UUID, mode: Mode, deployment_id: UUID
) -> list[Working]:
    """In the order of submission."""
    working = _working(connection, deployment_id)
    own = _own(connection, account_id, mode, deployment_id) if working else {}
    return [
        Working(order.order_id, name, order.adds_to(own.get(order.symbol, NOTHING).qty))
        for name, order in working.items()
        if order.order_id is not None
    ]
