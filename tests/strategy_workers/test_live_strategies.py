"""Strategies that trade with real money, at a broker that can go away."""

import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api_gateway.risk.repository import set_limits
from order_processor.brokers.connections import BrokerConnection, Credentials
from order_processor.settings import OrderProcessorSettings
from order_processor.wiring import wire as order_processor
from shared.config import Settings
from shared.database.tables import DeploymentRow
from shared.service.problems import Problem
from strategy_workers.library import Catalogue
from strategy_workers.sdk import Candle, OrderEvent, Strategy
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.brokers.simulated import SimulatedBroker, served
from tests.strategy_workers.doubles import TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform


class Careful(Strategy):
    """Rests a buy with its first candle, and asks for a bracket with its second."""

    name = "careful"

    def on_candle(self, candle: Candle) -> None:
        count = self.state["candles"] = self.state.get("candles", 0) + 1
        if count == 1:
            self.buy(candle.symbol, 2, 100)
        elif count == 2:
            self.buy(candle.symbol, 1, 100, take_profit=110, stop_loss=90)

    def on_order(self, event: OrderEvent) -> None:
        held = f"{self.position(event.symbol):f}"
        self.state.setdefault("heard", []).append([event.kind, event.reason_code, held])


def limited(engine: Engine, account: UUID, limits: dict[str, Any]) -> None:
    with Session(engine) as session, session.begin():
        set_limits(session, "account", str(account), "live", limits, "user:admin")


async def test_a_strategy_trades_live_while_its_broker_is_there(
    platform: Platform,
    settings: Settings,
    worker_settings: StrategyWorkersSettings,
    engine: Engine,
    market: TapeEngine,
    calendar_folder: Path,
) -> None:
    catalogue = Catalogue([Careful])
    platform = Platform(engine, platform.account, platform.redis, catalogue)
    broker = SimulatedBroker()

    def deploy() -> UUID:
        return platform.deployments.deploy(
            platform.account, "live", "careful", {}, ["SPY"], "1m"
        ).id

    def refused() -> str:
        with pytest.raises(Problem) as raised:
            deploy()
        return raised.value.code

    assert refused() == "mode_not_available"
    async with served(broker) as url:
        own = OrderProcessorSettings(
            _env_file=None,
            **(settings.model_dump() | {"calendar_folder": calendar_folder, "order_shards": 1}),
            alpaca_url=url,
            broker_credentials_keys=SecretStr(f"a:{base64.b64encode(bytes(32)).decode()}"),
            broker_answer_timeout_s=5,
            broker_reconnect_s=0.05,
            broker_reconnects=1000,
            live_trading=True,
        )
        async with (
            order_processor(own) as processor,
            running_worker(worker_settings, catalogue) as worker,
        ):

            async def reaches(one: UUID, status: str) -> DeploymentRow:
                async def look() -> bool:
                    worker.look_round()
                    return platform.row(one).status == status

                await eventually(look, status, 60)
                return platform.row(one)

            made = await processor.connections.connect(
                platform.account, "alpaca", Credentials("key", "secret"), "user:1"
            )
            assert isinstance(made, BrokerConnection), made
            assert refused() == "loss_limit_required"
            limited(engine, platform.account, {"max_loss": "500"})
            deployment = deploy()
            await reaches(deployment, "running")
            await market.start("live")
            await market.slice({"SPY": 101.0})

            async def heard(kind: str) -> list[Any] | None:
                await market.slice({})
                state = platform.deployments.variables(platform.account, deployment).state
                return next((one for one in state.get("heard", ()) if one[0] == kind), None)

            assert await eventually(lambda: heard("accepted"), "accepted", 60)
            [placed] = broker.placed
            assert (placed["side"], placed["qty"], placed["limit_price"]) == ("buy", "2", "100")
            await broker.fill(placed["client_order_id"], "2", "99")
            assert await eventually(lambda: heard("filled"), "filled", 60) == ["filled", None, "2"]
            await market.slice({"SPY": 102.0})
            found = await eventually(lambda: heard("refused"), "refused", 60)
            assert found[1] == "not_available_live"

            # The broker goes away, and comes again.
            broker.faults.refuse_streams = True
            await broker.drop_streams()
            row = await reaches(deployment, "paused")
            assert (row.hold, row.wanted) == ("broker_not_ready", "running")
            late = deploy()
            waiting = await reaches(late, "paused")
            assert (waiting.hold, waiting.snapshot) == ("broker_not_ready", None)
            broker.faults.refuse_streams = False
            await reaches(deployment, "running")
            await reaches(late, "running")

            # A replay is nothing to it, and waits for it no longer than for others.
            await market.play("SPY", [50.0, 51.0, 52.0])
            known = platform.deployments.variables(platform.account, deployment)
            assert known.state["candles"] == 2
            assert [(one.symbol, one.qty) for one in known.positions] == [("SPY", "2")]
    assert len(broker.placed) == 1
