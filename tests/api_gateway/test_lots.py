"""What positions are made of, over HTTP: by strategy, and by lot."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from shared.database.tables import LotRow, StrategyPositionRow
from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.test_accounts import code

D = Decimal
AT = datetime(2026, 1, 5, tzinfo=UTC)


def execution(db: Session, account_id: str) -> UUID:
    """One, with an order."""
    order_id, execution_id = uuid4(), uuid4()
    values = {"order": order_id, "execution": execution_id, "account": account_id}
    db.execute(
        text(
            "INSERT INTO orders (id, account_id, mode, client_order_id, submitted_by, symbol, side,"
            " type, time_in_force, qty, status, filled_qty, seq, submitted_at, updated_at, reserved,"
            " tape_id, closes_position, order_class) VALUES (:order, :account, 'paper', '1', 'user:1',"
            " 'SPY', 'buy', 'market', 'gtc', 10, 'filled', 10, 1, now(), now(), 0, '0-0', false,"
            " 'simple')"
        ),
        values,
    )
    db.execute(
        text(
            "INSERT INTO executions (id, order_id, account_id, mode, symbol, side, qty, price, fee,"
            " realized_pnl, seq, at) VALUES (:execution, :order, :account, 'paper', 'SPY', 'buy', 10,"
            " 100, 0, 0, 1, now())"
        ),
        values,
    )
    return execution_id


async def test_positions_are_told_by_strategy_and_by_lot(
    api: Api, trader: Person, account: dict[str, Any], engine: Engine
) -> None:
    deployment = uuid4()
    of = {"account_id": UUID(account["id"]), "mode": "paper", "symbol": "SPY"}
    with Session(engine) as db, db.begin():
        by = execution(db, account["id"])
        amounts = {"cost": D(0), "avg_price": D(0), "realized_pnl": D(3), "fees": D(0)}
        for owner, qty in ((str(deployment), 10), ("manual", -4)):
            db.add(StrategyPositionRow(**of, owner=owner, qty=qty, **amounts, updated_at=AT))
        for seq, qty in ((1, 0), (2, 3), (3, 3)):
            db.add(
                LotRow(
                    **of, seq=seq, qty=qty, cost=qty * 100, opened_qty=3, price=100,
                    opened_by=by, opened_at=AT,
                )
            )  # fmt: skip
        db.execute(
            text(
                "INSERT INTO lot_closings VALUES (:id, 'paper', 1, :by, 'SPY', 3, 300, 330, 30,"
                " now(), now())"
            ),
            {"id": account["id"], "by": by},
        )
    base = f"/accounts/{account['id']}"
    owned = (await trader.http.get(f"{base}/strategy-positions")).json()["items"]
    told = {each["deployment_id"]: each["qty"] for each in owned}
    assert told == {str(deployment): "10", None: "-4"}
    first = (await trader.http.get(f"{base}/lots?limit=1")).json()
    rest = (await trader.http.get(f"{base}/lots?cursor={first['next_cursor']}")).json()
    assert [lot["seq"] for lot in (*first["items"], *rest["items"])] == [2, 3]
    assert (await trader.http.get(f"{base}/lots?symbol=QQQ")).json()["items"] == []
    [closed] = (await trader.http.get(f"{base}/lots/closed")).json()["items"]
    assert (closed["lot_seq"], closed["realized_pnl"]) == (1, "30")
    for path in ("strategy-positions", "lots", "lots/closed"):
        bad = await trader.http.get(f"{base}/{path}?cursor=%00")
        assert code(bad) == (422, "invalid_cursor"), path
    bad = await trader.http.get(f"{base}/lots/closed?cursor=YQ")
    assert code(bad) == (422, "invalid_cursor")
    bob = await api.person("bob")
    assert code(await bob.http.get(f"{base}/lots")) == (404, "not_found")
