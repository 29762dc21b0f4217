"""What the tests say about deployments, and see of them."""

from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.database.tables import DeploymentRow, SignalRow
from shared.models.orders import CancelOrder, SubmitOrder
from shared.redis.keys import TAPE_PARTICIPANTS
from strategy_workers.deployments.actions import Deployments
from strategy_workers.library import Catalogue
from strategy_workers.runtime.watchdog import Watchdog
from tests.strategy_workers.doubles import eventually


class Platform:
    """What the tests say about deployments."""

    def __init__(self, engine: Engine, account: UUID, redis: Redis, catalogue: Catalogue) -> None:
        self.engine = engine
        self.account = account
        self.redis = redis
        self.deployments = Deployments(
            engine, catalogue, Watchdog(60, lambda *_: None), lambda: None
        )

    def deploy(
        self,
        strategy: str,
        symbols: tuple[str, ...] = ("SPY",),
        account: UUID | None = None,
        **parameters: object,
    ) -> UUID:
        return self.deployments.deploy(
            account or self.account, "paper", strategy, dict(parameters), list(symbols), "1m"
        ).id

    def stop(self, deployment_id: UUID) -> None:
        self.deployments.stop(self.row(deployment_id).account_id, deployment_id)

    def row(self, deployment_id: UUID) -> DeploymentRow:
        with Session(self.engine) as session:
            return session.get_one(DeploymentRow, deployment_id)

    def signals(self, deployment_id: UUID) -> list[SignalRow]:
        with Session(self.engine) as session:
            return list(
                session.execute(
                    select(SignalRow)
                    .where(SignalRow.deployment_id == deployment_id)
                    .order_by(SignalRow.seq)
                ).scalars()
            )

    async def reaches(self, deployment_id: UUID, status: str) -> DeploymentRow:
        async def look() -> bool:
            return self.row(deployment_id).status == status

        await eventually(look, f"{deployment_id} {status}")
        return self.row(deployment_id)

    async def participants(self) -> set[str]:
        return {name.decode() for name in await self.redis.hkeys(TAPE_PARTICIPANTS)}


def shape(command: SubmitOrder | CancelOrder) -> tuple[object, ...]:
    """What a command asks for, without ids, which differ from run to run."""
    if isinstance(command, CancelOrder):
        return ("cancel",)
    return (command.side, command.order_type, command.qty, command.limit_price, command.symbol)
