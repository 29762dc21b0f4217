"""The same prints, traded on the platform and in a backtest, give the same executions."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from order_processor.settings import OrderProcessorSettings
from order_processor.wiring import wire as order_processor
from shared.config import Settings
from shared.database.tables import ExecutionRow, OrderRow
from shared.trading.paper_terms import FREE
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.trades_run import run_trades
from strategy_workers.library import Catalogue
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.backtests.support import Busy, plan_of, stamp, walk
from tests.strategy_workers.doubles import MINUTE_NS, TapeEngine
from tests.strategy_workers.platform_view import Platform

_MINUTES = 60
_NUMBERS = ("qty", "price", "fee", "realized_pnl")


def _offline(folder: Path, prices: list[float]) -> Outcome:
    lines = [f"{stamp((n + 1) * MINUTE_NS - 1000)},SPY,{price},1" for n, price in enumerate(prices)]
    path = folder / "prints.csv"
    path.write_text("\n".join(["timestamp,symbol,price,size", *lines]) + "\n")
    plan = plan_of(Busy, [path], source="trades", capital=Decimal(10_000), paper=FREE)
    return run_trades(plan, no_progress)


def _executions(engine: Engine) -> list[tuple[Any, ...]]:
    with Session(engine) as session:
        rows = session.scalars(select(ExecutionRow).order_by(ExecutionRow.seq)).all()
    return [(row.seq, row.at, row.side, *(getattr(row, one) for one in _NUMBERS)) for row in rows]


async def test_orders_of_every_kind_fill_on_paper_as_in_a_backtest(
    platform: Platform,
    settings: Settings,
    worker_settings: StrategyWorkersSettings,
    engine: Engine,
    market: TapeEngine,
    calendar_folder: Path,
    tmp_path: Path,
) -> None:
    prices = [bar[4] for bar in walk(11, _MINUTES)]
    offline = _offline(tmp_path, prices)
    desk = OrderProcessorSettings(
        _env_file=None,
        **(settings.model_dump() | {"order_shards": 1, "calendar_folder": calendar_folder}),
    )
    platform = Platform(engine, platform.account, platform.redis, Catalogue([Busy]))
    deployment = platform.deploy("busy")
    async with order_processor(desk), running_worker(worker_settings, Catalogue([Busy])):
        await platform.reaches(deployment, "running")
        async with asyncio.timeout(60):
            await market.play("SPY", prices)
    ours = [
        (one.seq, one.at, one.side, *(getattr(one, name) for name in _NUMBERS))
        for one in offline.executions
    ]
    assert _executions(engine) == ours
    with Session(engine) as session:
        orders = session.scalars(select(OrderRow)).all()
        roles = {
            order.group_role
            for order in orders
            if order.id in {one.order_id for one in offline.executions} or order.filled_qty
        }
    assert len(orders) == offline.orders
    assert {"entry", "take_profit", "stop_loss", None} <= roles
