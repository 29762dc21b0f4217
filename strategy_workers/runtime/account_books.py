"""SQL of an account and a deployment's orders as the books have them. Nothing here commits."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, select, text

from shared.database.tables import (
    AccountEventRow,
    AccountRow,
    InstrumentRow,
    LedgerEntryRow,
    OrderRow,
    PositionRow,
)
from shared.models.identifiers import Mode
from shared.models.topics import account_topic
from strategy_workers.runtime.holdings import NOTHING, Holding, after_own, left_of
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.working_order import WorkingOrder

_WORKING = ("new", "held", "accepted", "partially_filled")


class Working(NamedTuple):
    id: UUID
    client_order_id: str
    #: It would open a position, or add to one; others close what there is.
    adds: bool


def read_books(
    connection: Connection, account_id: UUID, mode: Mode, deployment_id: UUID | None
) -> Portfolio:
    """Needs a transaction that sees one moment (repeatable read).

    Without a deployment: as of one that has never sent an order.
    """
    cash = connection.execute(
        select(LedgerEntryRow.balance)
        .join(AccountRow, AccountRow.id == LedgerEntryRow.account_id)
        .where(
            LedgerEntryRow.account_id == account_id,
            LedgerEntryRow.mode == mode,
            LedgerEntryRow.currency == AccountRow.base_currency,
        )
        .order_by(LedgerEntryRow.seq.desc())
        .limit(1)
    ).scalar()
    positions = connection.execute(
        select(PositionRow.symbol, PositionRow.qty, PositionRow.avg_price)
        .join(AccountRow, AccountRow.id == PositionRow.account_id)
        .outerjoin(InstrumentRow, InstrumentRow.symbol == PositionRow.symbol)
        .where(
            PositionRow.account_id == account_id,
            PositionRow.mode == mode,
            PositionRow.qty != 0,
            # What is held in other currencies is not a strategy's: its amounts would not add up.
            func.coalesce(InstrumentRow.currency, AccountRow.base_currency)
            == AccountRow.base_currency,
        )
    )
    portfolio = Portfolio(
        holdings={symbol: Holding(qty, price) for symbol, qty, price in positions},
        own=_own(connection, account_id, mode, deployment_id) if deployment_id else {},
        working=_working(connection, deployment_id) if deployment_id else {},
        orders_seq=_newest(connection, account_topic(account_id, mode, "orders")),
        executions_seq=_newest(connection, account_topic(account_id, mode, "executions")),
    )
    if cash is not None:
        portfolio.cash = cash
    return portfolio


def _newest(connection: Connection, topic: str) -> int:
    newest = select(func.max(AccountEventRow.topic_seq)).where(AccountEventRow.topic == topic)
    return connection.execute(newest).scalar() or 0


def _own(
    connection: Connection, account_id: UUID, mode: Mode, deployment_id: UUID
) -> dict[str, Holding]:
    """All executions from its first one on, gone through as they came, and between them what was
    converted from or to it."""
    rows = connection.execute(
        text(
            """
            WITH events AS (
                SELECT symbol, side, qty, price, seq, 0 AS number,
                       deployment_id IS NOT DISTINCT FROM :deployment AS mine,
                       CASE side WHEN 'buy' THEN qty ELSE -qty END AS traded
                  FROM executions WHERE account_id = :account AND mode = :mode
                UNION ALL
                SELECT symbol,
                       CASE WHEN (to_deployment_id IS NOT DISTINCT FROM :deployment) = (qty > 0)
                            THEN 'buy' ELSE 'sell' END,
                       abs(qty), round(cost / qty, 12), execution_seq, number, true, 0
                  FROM position_conversions
                 WHERE account_id = :account AND mode = :mode
                   AND :deployment IN (from_deployment_id, to_deployment_id)
            )
            SELECT symbol, side, qty, price, mine, account_qty
              FROM (SELECT *, sum(traded)
                                  OVER (PARTITION BY symbol ORDER BY seq, number) AS account_qty
                      FROM events) AS all_of_them
             WHERE seq >= (SELECT min(seq) FROM events WHERE mine)
             ORDER BY seq, number
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
