"""Limits, switches and deployments, as the gateway stores and asks for them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID, uuid4

import msgspec
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api_gateway.risk import repository
from order_processor.wiring import Wiring
from shared.database.tables import DeploymentRow
from shared.models.orders import Order
from shared.models.risk import RiskChanged, RiskReply, SeeRisk
from shared.models.topics import account_topic
from shared.redis.topics import frames_after
from shared.trading.risk import Level
from tests.order_processor.support import Desk, Feed, ProcessorProcess, until

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]

Processes = Callable[..., ProcessorProcess]

ADMIN = "user:admin"


def set_limits(engine: Engine, level: Level, subject: object = "", **limits: Any) -> int:
    with Session(engine) as db, db.begin():
        return repository.set_limits(db, level, str(subject), "paper", limits, ADMIN)


def switch_platform(engine: Engine, *, on: bool, flatten: bool = False) -> int:
    """The version of the rules that have it."""
    with Session(engine) as db, db.begin():
        if on:
            repository.engage(db, "Drill", ADMIN, flatten=flatten)
        else:
            repository.release(db, ADMIN)
        row = repository.platform(db)
        assert row is not None
        return row.version


def deploy(desk: Desk, wanted: str = "running") -> UUID:
    with Session(desk.engine) as db, db.begin():
        row = DeploymentRow(
            account_id=desk.account,
            mode="paper",
            strategy="sma_crossover",
            parameters={},
            symbols=["SPY"],
            timeframe="1m",
            wanted=wanted,
            status="running",
        )
        db.add(row)
        db.flush()
        return row.id


async def risk(desk: Desk, kind: Any = SeeRisk, **more: Any) -> Any:
    if kind is not SeeRisk:
        more = {"submitted_by": "user:me"} | more
    return await desk.ask(
        kind(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            **more,
        )
    )


async def stand(desk: Desk) -> RiskReply:
    reply = await risk(desk)
    assert isinstance(reply, RiskReply)
    return reply


async def hold(desk: Desk, feed: Feed, qty: str = "100", price: float = 100.0) -> Order:
    await feed.print(price)
    order = await desk.submit("buy", qty)
    await feed.print(price)
    await until(lambda: desk.status(order.id) == "filled")
    return order


async def latched(desk: Desk) -> bool:
    return (await stand(desk)).state.loss is not None


async def told(redis: Redis, desk: Desk) -> list[RiskChanged]:
    topic = account_topic(desk.account, "paper", "risk")
    frames = await frames_after(redis, topic, 0)
    return [msgspec.convert(msgspec.json.decode(f)["data"], RiskChanged) for _, f in frames or ()]


def flat(desk: Desk) -> bool:
    return desk.value("SELECT count(*) FROM positions WHERE qty <> 0") == 0
