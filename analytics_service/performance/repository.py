"""What the database knows of one account's books in one mode."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.metrics.executions import Fill
from shared.models.identifiers import Mode
from shared.redis.keys import shard_of
from shared.trading.amounts import ZERO


@dataclass(frozen=True)
class Holding:
    symbol: str
    qty: Decimal
    #: What the open quantity cost.
    cost: Decimal
    #: Last price that the account's order processor saw; None when it saw none.
    last_price: Decimal | None
    #: When that price was, microseconds of market time; None without one.
    priced_at_us: int | None


@dataclass(frozen=True)
class Records:
    #: Everything that was paid in; what books that aren't open yet will begin with.
    capital: Decimal
    cash: Decimal
    realized_pnl: Decimal
    fees: Decimal
    #: Open positions.
    holdings: list[Holding]
    #: In the order in which they happened.
    fills: list[Fill]


_ACCOUNT = text("SELECT paper_capital FROM accounts WHERE id = :account_id")
_LEDGER = text(
    """
    SELECT sum(amount) FILTER (WHERE kind = 'deposit'), sum(amount)
      FROM ledger_entries WHERE account_id = :account_id AND mode = :mode
    """
)
_TOTALS = text(
    """
    SELECT coalesce(sum(realized_pnl), 0), coalesce(sum(fees), 0)
      FROM positions WHERE account_id = :account_id AND mode = :mode
    """
)
_HOLDINGS = text(
    """
    SELECT p.symbol, p.qty, p.cost, m.price, (extract(epoch FROM m.at) * 1000000)::bigint
      FROM positions p
      LEFT JOIN order_shard_marks m ON m.symbol = p.symbol AND m.shard = :shard
     WHERE p.account_id = :account_id AND p.mode = :mode AND p.qty <> 0
     ORDER BY p.symbol
    """
)
# Short decimals and plain integers: most of the time goes into making objects of the columns.
_FILLS = text(
    """
    SELECT symbol, trim_scale(CASE side WHEN 'buy' THEN qty ELSE -qty END), trim_scale(price),
           trim_scale(fee), trim_scale(realized_pnl),
           (extract(epoch FROM at) * 1000000)::bigint
      FROM executions WHERE account_id = :account_id AND mode = :mode ORDER BY seq
    """
)


class Books:
    def __init__(self, engine: Engine, order_shards: int) -> None:
        # All of one answer is read at one moment.
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._order_shards = order_shards

    def read(self, account_id: UUID, mode: Mode) -> Records | None:
        """None when there is no such account."""
        shard = shard_of(account_id, self._order_shards)
        keys: dict[str, object] = {"account_id": account_id, "mode": mode, "shard": shard}
        with self._engine.connect() as connection:
            paper_capital = connection.execute(_ACCOUNT, keys).scalar_one_or_none()
            if paper_capital is None:
                return None
            unopened = paper_capital if mode == "paper" else ZERO
            return _read(connection, keys, unopened)


def _read(connection: Connection, keys: dict[str, object], unopened: Decimal) -> Records:
    deposits, cash = connection.execute(_LEDGER, keys).one()
    realized_pnl, fees = connection.execute(_TOTALS, keys).one()
    return Records(
        capital=unopened if deposits is None else deposits,
        cash=unopened if cash is None else cash,
        realized_pnl=realized_pnl,
        fees=fees,
        holdings=[Holding(*row) for row in connection.execute(_HOLDINGS, keys)],
        fills=list(map(Fill._make, connection.execute(_FILLS, keys).all())),
    )
