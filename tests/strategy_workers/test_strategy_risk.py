"""Strategies under the risk ladder: they pause for good, and no more start than may."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from shared.database.tables import (
    AccountRiskRow,
    AccountRow,
    DeploymentRow,
    RiskLimitsRow,
    RiskPlatformRow,
)
from shared.service.problems import Problem
from strategy_workers.deployments.actions import Deployments
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sample_strategies import SAMPLES


def want_paused(engine: Engine, deployment: UUID) -> None:
    """As the order processor does when it latches."""
    with engine.begin() as connection:
        connection.execute(
            update(DeploymentRow)
            .where(DeploymentRow.id == deployment)
            .values(wanted="paused", last_error="The loss limit was reached.")
        )


async def test_a_strategy_that_is_wanted_paused_leaves_and_no_worker_takes_it_up_again(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    engine: Engine,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment, other = platform.deploy("scripted"), platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await platform.reaches(other, "running")
        want_paused(engine, deployment)
        row = await platform.reaches(deployment, "paused")
        assert row.last_error == "The loss limit was reached."

        async def left() -> bool:
            return f"deployment:{deployment}" not in await platform.participants()

        await eventually(left, "it takes part no more")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(other, "running")
        await market.play("SPY", [100, 101, 102])
        assert platform.row(deployment).status == "paused"
    assert {command.submitted_by for command in desk.commands} == {f"deployment:{other}"}


async def test_a_strategy_whose_worker_died_before_it_paused_is_paused_by_the_next(
    platform: Platform, worker_settings: StrategyWorkersSettings, engine: Engine, desk: OrderDesk
) -> None:
    deployment = platform.deploy("scripted")
    want_paused(engine, deployment)
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "paused")


@pytest.fixture
def deployments(engine: Engine) -> Deployments:
    return Deployments(engine, SAMPLES, Watchdog(60, lambda *_: None), lambda: None)


def deploy(deployments: Deployments, account: UUID) -> str:
    try:
        deployments.deploy(account, "paper", "scripted", {}, ["SPY"], "1m")
    except Problem as problem:
        return problem.code
    return "deployed"


def limit(engine: Engine, level: str, subject: object, allowed: int) -> None:
    with Session(engine) as db, db.begin():
        db.add(
            RiskLimitsRow(
                level=level,
                subject=str(subject),
                mode="paper",
                limits={"max_strategies": allowed},
                version=1,
                changed_by="user:admin",
            )
        )


@pytest.mark.parametrize("level", ["platform", "user", "account"])
def test_no_more_strategies_start_than_may_run_at_once(
    engine: Engine, account: UUID, deployments: Deployments, level: str
) -> None:
    with Session(engine) as db:
        owner = db.get_one(AccountRow, account).owner_id
    subject = {"platform": "", "user": owner, "account": account}[level]
    limit(engine, level, subject, 2)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: deploy(deployments, account), range(4)))
    assert sorted(outcomes) == ["deployed", "deployed", *["strategy_limit_reached"] * 2]
    with engine.begin() as connection:
        connection.execute(update(DeploymentRow).values(wanted="stopped"))
    assert deploy(deployments, account) == "deployed"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"loss": {"reason": "lost"}}, "loss_limit_latched"),
        ({"kill": {"reason": "drill"}}, "kill_switch_account"),
        ({"loss": None, "kill": None}, "deployed"),
    ],
)
def test_nothing_starts_on_an_account_that_is_latched(
    engine: Engine, account: UUID, deployments: Deployments, state: dict[str, Any], code: str
) -> None:
    with Session(engine) as db, db.begin():
        db.add(AccountRiskRow(account_id=account, mode="paper", state=state))
    assert deploy(deployments, account) == code


def test_a_start_waits_for_a_latch_that_is_being_stored(
    engine: Engine, account: UUID, deployments: Deployments
) -> None:
    with Session(engine) as db, db.begin():
        db.add(AccountRiskRow(account_id=account, mode="paper", state={}))
    with ThreadPoolExecutor(1) as pool, engine.begin() as shard:
        shard.execute(update(AccountRiskRow).values(state={"loss": {"reason": "lost"}}))
        start = pool.submit(deploy, deployments, account)
        with pytest.raises(TimeoutError):
            start.result(0.3)
        shard.commit()
        assert start.result(30) == "loss_limit_latched"


def test_what_a_latch_has_paused_resumes_only_when_it_is_acknowledged(
    engine: Engine, account: UUID, deployments: Deployments
) -> None:
    deployment = deployments.deploy(account, "paper", "scripted", {}, ["SPY"], "1m").id
    with Session(engine) as db, db.begin():
        db.add(AccountRiskRow(account_id=account, mode="paper", state={"loss": {"reason": "x"}}))
        row = db.get_one(DeploymentRow, deployment)
        row.wanted = row.status = "paused"
    with pytest.raises(Problem) as refused:
        deployments.resume(account, deployment)
    assert refused.value.code == "loss_limit_latched"
    assert deployments.find(account, deployment).wanted == "paused"
    with engine.begin() as connection:
        connection.execute(update(AccountRiskRow).values(state={}))
    limit(engine, "account", account, 1)
    resumed = deployments.resume(account, deployment)
    assert (resumed.wanted, resumed.status, resumed.last_error) == ("running", "starting", None)
    assert deployments.resume(account, deployment).status == "starting"  # it counts itself not


def test_a_strategys_own_loss_holds_it_alone_until_it_is_acknowledged(
    engine: Engine, account: UUID, deployments: Deployments
) -> None:
    lossy, other = (
        deployments.deploy(account, "paper", "scripted", {}, ["SPY"], "1m").id for _ in range(2)
    )
    state = {"deployments": {str(lossy): {"latch": {"reason": "x"}, "baseline": "0"}}}
    with Session(engine) as db, db.begin():
        db.add(AccountRiskRow(account_id=account, mode="paper", state=state))
        for row in (db.get_one(DeploymentRow, each) for each in (lossy, other)):
            row.wanted = row.status = "paused"
    with pytest.raises(Problem) as refused:
        deployments.resume(account, lossy)
    assert refused.value.code == "loss_limit_latched"
    assert deployments.resume(account, other).wanted == "running"
    assert deploy(deployments, account) == "deployed"


def test_a_paused_strategy_resumes_only_within_the_number_that_may_run(
    engine: Engine, account: UUID, deployments: Deployments
) -> None:
    paused = deployments.deploy(account, "paper", "scripted", {}, ["SPY"], "1m").id
    with engine.begin() as connection:
        connection.execute(update(DeploymentRow).values(wanted="paused", status="paused"))
    deploy(deployments, account)
    limit(engine, "account", account, 1)
    with pytest.raises(Problem) as refused:
        deployments.resume(account, paused)
    assert refused.value.code == "strategy_limit_reached"
    assert deployments.find(account, paused).status == "paused"


def test_nothing_starts_while_the_platform_is_halted(
    engine: Engine, account: UUID, deployments: Deployments
) -> None:
    with Session(engine) as db, db.begin():
        db.add(RiskPlatformRow(version=1, halts=1, halted=True, reason="Drill"))
    assert deploy(deployments, account) == "kill_switch_platform"
