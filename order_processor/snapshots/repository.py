"""What a subscriber of an account topic sees first, with the number of the last frame in it."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, text

from order_processor.risk.repository import risk_states
from order_processor.shards.clock import wall_clock
from order_processor.shards.fx import foreign_cash_of
from order_processor.shards.recovery import last_prices
from order_processor.shards.rows import ledger_entry_of, order_of, plain_or_none
from order_processor.snapshots.valuation import books_to_value
from shared.models.cash import LedgerEntry
from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.orders import EquityMarked, Execution, Order, Position
from shared.models.risk import RiskState
from shared.models.topics import AccountTopicKind, account_topic
from shared.redis.keys import shard_of
from shared.trading.amounts import ZERO, measured, plain, rounded

#: Ended orders and executions that a snapshot holds, the newest; the rest is a list to page.
RECENT = 200

_NEWEST_ORDERS = text(
    """
    SELECT * FROM orders
     WHERE account_id = :id AND mode = :mode
       AND (status IN ('new', 'held', 'accepted', 'partially_filled')
            OR seq > (SELECT coalesce(max(seq), 0) FROM orders
                       WHERE account_id = :id AND mode = :mode) - :recent)
     ORDER BY seq
    """
)
_NEWEST_EXECUTIONS = text(
    """
    SELECT * FROM executions
     WHERE account_id = :id AND mode = :mode
     ORDER BY seq DESC LIMIT :recent
    """
)
_NEWEST_CASH = text(
    """
    SELECT * FROM ledger_entries
     WHERE account_id = :id AND mode = :mode AND execution_id IS NULL
     ORDER BY seq DESC LIMIT :recent
    """
)
_POSITIONS = text("SELECT * FROM positions WHERE account_id = :id AND mode = :mode ORDER BY symbol")
_LAST_SEQ = text("SELECT coalesce(max(topic_seq), 0) FROM account_events WHERE topic = :topic")
_CASH = text(
    """
    SELECT coalesce(
        (SELECT balance FROM ledger_entries
          WHERE account_id = :id AND mode = :mode AND currency = accounts.base_currency
          ORDER BY seq DESC LIMIT 1),
        CASE WHEN :mode = 'paper' THEN paper_capital ELSE 0 END)
      FROM accounts WHERE id = :id
    """
)

Snapshot = (
    list[Order] | list[Execution] | list[Position] | list[LedgerEntry] | EquityMarked | RiskState
)


class Snapshots:
    """Blocking: call it from a thread. Each is one view of the database."""

    def __init__(self, engine: Engine, shards: int) -> None:
        self._engine = engine
        self._shards = shards

    def take(
        self, account_id: UUID, mode: Mode, kind: AccountTopicKind
    ) -> tuple[int, Snapshot] | None:
        """(number of the topic's last frame that is in it, data); None for no such account.

        Equity frames are not stored: their number is 0 here.
        """
        with self._engine.connect() as plain_connection:
            connection = plain_connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                return self._take(connection, account_id, mode, kind)

    def _take(
        self, connection: Connection, account_id: UUID, mode: Mode, kind: AccountTopicKind
    ) -> tuple[int, Snapshot] | None:
        books = {"id": account_id, "mode": mode}
        cash = connection.execute(_CASH, books).scalar_one_or_none()
        if cash is None:
            return None
        if kind == "equity":
            return 0, self._equity(connection, account_id, mode, plain(Decimal(cash)))
        topic = account_topic(account_id, mode, kind)
        seq = connection.execute(_LAST_SEQ, {"topic": topic}).scalar_one()
        if kind == "orders":
            rows = connection.execute(_NEWEST_ORDERS, books | {"recent": RECENT})
            return seq, [order_of(row) for row in rows]
        if kind == "executions":
            newest = connection.execute(_NEWEST_EXECUTIONS, books | {"recent": RECENT}).all()
            return seq, [_execution(row) for row in reversed(newest)]
        if kind == "risk":
            return seq, risk_states(connection, [account_id]).get((account_id, mode), RiskState())
        if kind == "cash":
            entries = connection.execute(_NEWEST_CASH, books | {"recent": RECENT}).all()
            return seq, [ledger_entry_of(row) for row in reversed(entries)]
        return seq, [_position(row) for row in connection.execute(_POSITIONS, books)]

    def _equity(
        self, connection: Connection, account_id: UUID, mode: Mode, cash: Decimal
    ) -> EquityMarked:
        shard = shard_of(account_id, self._shards)
        prices = last_prices(connection, shard)
        value = unrealized = ZERO
        held: dict[Symbol, Decimal] = {}
        for row in connection.execute(_POSITIONS, {"id": account_id, "mode": mode}):
            last = prices.get(row.symbol)
            price = None if last is None else plain(measured(last.price))
            worth = row.cost if price is None else rounded(row.qty * price)
            value += worth
            unrealized += worth - row.cost
            if price is not None and row.qty:
                held[row.symbol] = price
        at, equity = wall_clock(), cash + value
        books = books_to_value(connection, shard, (account_id, mode), prices)
        if books is not None:
            equity, unrealized = books.valued(held)
        return EquityMarked(
            account_id=AccountId(account_id),
            mode=mode,
            at=at,
            cash=cash,
            equity=plain(equity),
            unrealized_pnl=plain(unrealized),
            prices={str(symbol): price for symbol, price in held.items()},
            margin=None if books is None else books.margin.figures(at),
            foreign_cash=None if books is None else foreign_cash_of(books),
        )


def _execution(row: Row[Any]) -> Execution:
    return Execution(
        id=row.id,
        order_id=OrderId(row.order_id),
        account_id=AccountId(row.account_id),
        mode=row.mode,
        deployment_id=row.deployment_id,
        symbol=Symbol(row.symbol),
        side=row.side,
        qty=plain(row.qty),
        price=plain(row.price),
        fee=plain(row.fee),
        realized_pnl=plain(row.realized_pnl),
        seq=row.seq,
        at=row.at,
        fx_rate=plain_or_none(row.fx_rate),
        realized_pnl_base=plain_or_none(row.realized_pnl_base),
    )


def _position(row: Row[Any]) -> Position:
    return Position(
        account_id=AccountId(row.account_id),
        mode=row.mode,
        symbol=Symbol(row.symbol),
        qty=plain(row.qty),
        avg_price=plain(row.avg_price),
        realized_pnl=plain(row.realized_pnl),
        fees=plain(row.fees),
        updated_at=row.updated_at,
    )
