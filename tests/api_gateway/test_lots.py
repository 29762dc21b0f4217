"""What positions are made of, over HTTP: by strategy, and by lot."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from shared.database.tables import ExecutionRow, LotRow, OrderRow, StrategyPositionRow
from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.test_accounts import code

D = Decimal
AT = datetime(2026, 1, 5, tzinfo=UTC)


def execution(db: Session, account_id: str) -> UUID:
    """One, with an order."""
    order_id, execution_id = uuid4(), uuid4()
    of = {"account_id": UUID(account_id), "mode": "paper", "symbol": "SPY", "side": "buy", "seq": 1}
    order = OrderRow(
        **of, id=order_id, client_order_id="1", submitted_by="user:1", type="market",
        time_in_force="gtc", qty=10, status="filled", filled_qty=10, submitted_at=AT,
        updated_at=AT, reserved=0,paper_terms={}, tape_id="0-0",
    )  # fmt: skip
    db.add(order)
    db.flush()
    amounts = {"qty": 10, "price": 100, "fee": 0, "realized_pnl": 0}
    db.add(ExecutionRow(**of, **amounts, id=execution_id, order_id=order_id, at=AT))
    db.flush()
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
