"""What the database knows of one account's books in one mode."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from analytics_service.performance.currencies import read_abroad
from analytics_service.performance.records import Holding, Records
from shared.metrics.equity_curve import Movement
from shared.metrics.executions import CashMove, Fill, SplitMove
from shared.models.cash import FLOW_KINDS
from shared.models.identifiers import Mode
from shared.redis.keys import shard_of
from shared.trading.amounts import ZERO

_ACCOUNT = text("SELECT paper_capital FROM accounts WHERE id = :account_id")
_CASH = text(
    """
    SELECT balance FROM ledger_entries WHERE account_id = :account_id AND mode = :mode
     ORDER BY seq DESC LIMIT 1
    """
)
_SEVERAL_CURRENCIES = text(
    "SELECT EXISTS (SELECT FROM foreign_cash WHERE account_id = :account_id AND mode = :mode)"
)
#: Each with the number of executions before it.
_CASH_MOVES = text(
    """
    SELECT trim_scale(m.amount), (extract(epoch FROM m.at) * 1000000)::bigint,
           m.kind = ANY(:flow_kinds),
           (SELECT count(*) FROM ledger_entries f
             WHERE f.account_id = :account_id AND f.mode = :mode AND f.kind = 'fill'
               AND f.seq < m.seq),
           m.kind = 'cash_in_lieu'
      FROM ledger_entries m
     WHERE m.account_id = :account_id AND m.mode = :mode AND m.kind NOT IN ('fill', 'fee')
     ORDER BY m.seq
    """
)
#: Each with the number of executions before it.
_SPLITS = text(
    """
    SELECT a.symbol, trim_scale(e.qty_after), trim_scale(e.price), trim_scale(e.realized_pnl),
           (extract(epoch FROM a.effective_at) * 1000000)::bigint, e.execution_seq
      FROM corporate_action_effects e JOIN corporate_actions a ON a.id = e.action_id
     WHERE e.account_id = :account_id AND e.mode = :mode AND e.price IS NOT NULL
     ORDER BY e.execution_seq, a.effective_at
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
            if connection.execute(_SEVERAL_CURRENCIES, keys).scalar():
                return read_abroad(connection, keys)
            unopened = paper_capital if mode == "paper" else ZERO
            return _read(connection, keys, unopened)


def _read(connection: Connection, keys: dict[str, object], unopened: Decimal) -> Records:
    cash = connection.execute(_CASH, keys).scalar_one_or_none()
    rows = connection.execute(_CASH_MOVES, keys | {"flow_kinds": list(FLOW_KINDS)}).all()
    moves: list[tuple[CashMove | SplitMove, int]] = [(CashMove(*row[:3]), row[3]) for row in rows]
    for *split, before in connection.execute(_SPLITS, keys):
        _put_in(moves, SplitMove(*split), before)
    fills = list(map(Fill._make, connection.execute(_FILLS, keys).all()))
    capital, movements = _in_order(fills, moves)
    flows = (each for each in movements if isinstance(each, CashMove))
    # What a split left over was sold: that is in the realised profit.
    income = -sum((row[0] for row in rows if row[4]), ZERO)
    net_flows = ZERO
    for move in flows:
        if move.is_flow:
            net_flows += move.amount
        else:
            income += move.amount
    realized_pnl, fees = connection.execute(_TOTALS, keys).one()
    return Records(
        capital=unopened if cash is None else capital,
        net_flows=net_flows,
        income=income,
        cash=unopened if cash is None else cash,
        realized_pnl=realized_pnl,
        fees=fees,
        holdings=[Holding(*row) for row in connection.execute(_HOLDINGS, keys)],
        fills=fills,
        movements=movements,
    )


def _put_in(
    moves: list[tuple[CashMove | SplitMove, int]], split: SplitMove, fills_before: int
) -> None:
    """Before the cash moves that came with it or after it."""
    place = next(
        (
            place
            for place, (move, before) in enumerate(moves)
            if before > fills_before or (before == fills_before and move.at_us >= split.at_us)
        ),
        len(moves),
    )
    moves.insert(place, (split, fills_before))


def _in_order(
    fills: Sequence[Fill], moves: Sequence[tuple[CashMove | SplitMove, int]]
) -> tuple[Decimal, list[Movement]]:
    """The capital at the beginning, and all that happened from the first fill or income on.

    A move comes with the number of fills before it.
    """
    capital = ZERO
    movements: list[Movement] = []
    done = 0
    for move, fills_before in moves:
        movements += fills[done:fills_before]
        done = fills_before
        if movements or isinstance(move, SplitMove) or not move.is_flow:
            movements.append(move)
        else:
            capital += move.amount
    movements += fills[done:]
    return capital, movements
