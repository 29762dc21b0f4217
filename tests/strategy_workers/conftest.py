import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cli.embedded.servers import free_port
from shared.config import Settings
from shared.database.tables import AccountRow, InstrumentRow, UserRow
from shared.trading.paper_terms import FREE, paper_terms_document
from shared.utils.tasks import end_tasks
from shared.utils.tls import trusted_authorities
from strategy_workers.main import create_app
from strategy_workers.settings import StrategyWorkersSettings
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sample_strategies import SAMPLES


@pytest.fixture
def worker_settings(settings: Settings) -> StrategyWorkersSettings:
    return StrategyWorkersSettings(
        _env_file=None,
        **settings.model_dump(exclude={"order_shards", "market_data_url"}),
        order_shards=1,
        market_data_url="http://127.0.0.1:9",
        strategy_snapshot_marks=8,
        strategy_answer_timeout_s=2.0,
    )


@contextlib.asynccontextmanager
async def serving_worker(settings: StrategyWorkersSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a worker's internal interface."""
    port = free_port()
    config = uvicorn.Config(
        create_app(settings), port=port, log_config=None, lifespan="on", ws="none"
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started or task.done()

    await eventually(started, "server", timeout_s=30)
    token = settings.internal_token.get_secret_value()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"X-Internal-Token": token},
        verify=trusted_authorities(),
        trust_env=False,
        timeout=30,
    ) as client:
        yield client
    server.should_exit = True
    await task


@pytest.fixture
def account(engine: Engine) -> UUID:
    with Session(engine) as session, session.begin():
        for symbol, tradable in (("SPY", True), ("QQQ", True), ("OLD", False)):
            session.add(
                InstrumentRow(
                    symbol=symbol,
                    name=symbol,
                    exchange="24/7",
                    currency="USD",
                    tick_size=Decimal("0.01"),
                    lot_size=Decimal(1),
                    tradable=tradable,
                )
            )
    return open_account(engine, "main")


def open_account(engine: Engine, name: str) -> UUID:
    with Session(engine) as session, session.begin():
        user = UserRow(email=f"{name}@example.org", username=name, password_hash="-", role="trader")
        session.add(user)
        session.flush()
        row = AccountRow(
            owner_id=user.id,
            name=name,
            base_currency="USD",
            paper_capital=Decimal(10_000),
            paper_terms=paper_terms_document(FREE),
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def platform(engine: Engine, account: UUID, redis: Redis) -> Platform:
    return Platform(engine, account, redis, SAMPLES)


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[OrderDesk]:
    """An order processor that answers."""
    desk = OrderDesk(redis, engine)
    task = asyncio.create_task(desk.run())
    yield desk
    await end_tasks([task])


@pytest.fixture
def market(redis: Redis) -> TapeEngine:
    return TapeEngine(redis)
