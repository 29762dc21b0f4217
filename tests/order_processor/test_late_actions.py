"""What was held when an action should have come, as each shard finds it out."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from order_processor.corporate_actions.late import HeldThen, held_then
from shared.database.tables import PositionRow
from shared.models.identifiers import Symbol
from shared.redis.keys import shard_of
from shared.trading.corporate_actions import CorporateAction, Dividend
from tests.order_processor.support import add_account
from tests.shared.trading.support import T0

D = Decimal
_SHARDS = 4


def test_a_shard_goes_through_executions_for_its_own_accounts_alone(engine: Engine) -> None:
    account = add_account(engine)
    with Session(engine) as db, db.begin():
        db.add(
            PositionRow(
                account_id=account,
                mode="paper",
                symbol="SPY",
                qty=D(10),
                cost=D(1000),
                avg_price=D(100),
                realized_pnl=D(0),
                fees=D(0),
                updated_at=T0 + timedelta(days=1),
            )
        )
    late = CorporateAction(UUID(int=1), Symbol("SPY"), Dividend(D(1)), T0, D("0.01"), D(1))
    mine = shard_of(account, _SHARDS)
    with engine.begin() as blocker, engine.begin() as connection:
        blocker.execute(text("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        for shard in range(_SHARDS):
            if shard != mine:
                assert held_then(connection, late, shard, _SHARDS) == []
    with engine.begin() as connection:
        found = held_then(connection, late, mine, _SHARDS)
    assert found == [HeldThen(account, "paper", 0, D(10), unclear=False)]
