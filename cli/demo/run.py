"""The platform's main job, end to end, as its users would do it: through the gateway.

A trader signs up, opens a paper account and deploys a strategy; an admin uploads trades and
replays them; a WebSocket client counts what both would see.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cli.client.errors import ApiError
from cli.client.gateway import Gateway, Json
from cli.client.stream import CountingStream, counting_stream
from cli.demo.plan import SYNTHETIC, DemoPlan
from cli.demo.report import DemoReport
from cli.errors import BadInputError, CliError
from shared.models.topics import ACCOUNT_TOPIC_KINDS, TIME_TOPIC, account_topic, candles_topic
from strategy_workers.backtests.digest import executions_digest, plain

_DEPLOYMENT_TIMEOUT_S = 30.0
_LAST_MARK_TIMEOUT_S = 30.0
_POLL_S = 0.1

#: Answers that say: what was asked for is wrong.
_INPUT_STATUSES = frozenset({400, 404, 413, 415, 422})


@dataclass(frozen=True)
class Admin:
    email: str
    password: str


@dataclass(frozen=True)
class FinishedRun:
    replay: Json
    duration_s: float
    websocket_messages: int


@dataclass(frozen=True)
class Progress:
    ticks: int
    #: None while the platform doesn't know it.
    total_ticks: int | None


async def run_demo(
    url: str, admin: Admin, plan: DemoPlan, show: Callable[[Progress], None]
) -> DemoReport:
    """BadInputError when the platform refuses the input, CliError when something fails.

    What it started on the platform is stopped again, also after a failure.
    """
    async with Gateway(url) as operator, Gateway(url) as trader:
        await _sign_in(operator, admin)
        await _sign_up(trader)
        with _input_refusals():
            file_ids = [(await operator.upload(path))["id"] for path in plan.files]
            account = await trader.call(
                "POST", "/accounts", json={"name": "demo", "paper_capital": str(plan.capital)}
            )
        async with _deployed(trader, account["id"], plan) as deployment:
            socket_url = (await operator.config())["websocket_url"]
            async with counting_stream(socket_url, await operator.access_token()) as stream:
                await stream.subscribe(_topics(plan, account["id"]))
                await stream.pace()
                run = await _replayed(operator, stream, file_ids, show)
            return await _collect(trader, account["id"], deployment, plan, run)


async def _sign_in(operator: Gateway, admin: Admin) -> None:
    try:
        await operator.login(admin.email, admin.password)
    except ApiError as error:
        if error.status == 401:
            raise BadInputError(f"can't sign in as {admin.email}: {error}") from error
        raise


async def _sign_up(trader: Gateway) -> None:
    name = f"demo-{secrets.token_hex(6)}"
    password = f"D1-{secrets.token_urlsafe(18)}"
    await trader.register(f"{name}@example.com", name, password, "trader")
    await trader.login(name, password)


@contextlib.contextmanager
def _input_refusals() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if error.status in _INPUT_STATUSES:
            raise BadInputError(str(error)) from error
        raise


@contextlib.asynccontextmanager
async def _deployed(trader: Gateway, account_id: str, plan: DemoPlan) -> AsyncIterator[str]:
    """Id of a running deployment, stopped afterwards."""
    path = f"/accounts/{account_id}/deployments"
    with _input_refusals():
        deployment = await trader.call(
            "POST",
            path,
            json={
                "strategy": plan.strategy,
                "parameters": plan.parameters,
                "symbols": list(plan.symbols),
                "timeframe": plan.timeframe,
                "mode": "paper",
            },
        )
    path = f"{path}/{deployment['id']}"
    try:
        await _until_running(trader, path)
        yield str(deployment["id"])
    except BaseException:
        # What went wrong is what the user must hear of; this is only tidying up.
        with contextlib.suppress(CliError):
            await trader.call("POST", f"{path}/stop")
        raise
    await trader.call("POST", f"{path}/stop")


async def _until_running(trader: Gateway, path: str) -> None:
    deadline = time.monotonic() + _DEPLOYMENT_TIMEOUT_S
    while True:
        deployment = await trader.call("GET", path)
        if deployment["status"] == "running":
            return
        if deployment["status"] != "starting":
            raise CliError(_paused(deployment))
        if time.monotonic() > deadline:
            raise CliError(f"no strategy worker started it in {_DEPLOYMENT_TIMEOUT_S:.0f} s")
        await asyncio.sleep(_POLL_S)


def _paused(deployment: Json) -> str:
    error = (deployment.get("last_error") or "no reason given").strip().splitlines()[-1]
    return f"the strategy is {deployment['status']}: {error}"


def _topics(plan: DemoPlan, account_id: str) -> list[str]:
    account = UUID(account_id)
    return [
        *(candles_topic(symbol, plan.timeframe) for symbol in plan.symbols),
        *(account_topic(account, "paper", kind) for kind in ACCOUNT_TOPIC_KINDS),
        TIME_TOPIC,
    ]


async def _replayed(
    operator: Gateway,
    stream: CountingStream,
    file_ids: list[str],
    show: Callable[[Progress], None],
) -> FinishedRun:
    source: dict[str, Any] = {"files": file_ids} if file_ids else {"synthetic": SYNTHETIC}
    following = asyncio.create_task(stream.follow(operator.access_token), name="stream")
    try:
        began = time.monotonic()
        with _input_refusals():
            replay = await operator.call("POST", "/replays", json=source | {"speed": "max"})
        try:
            replay = await _until_finished(operator, replay["id"], following, show)
            await _last_mark(stream, replay)
        except BaseException:
            # Also when this task is cancelled: the run must not go on without us.
            with contextlib.suppress(CliError):  # it may have ended already
                await operator.call("POST", f"/replays/{replay['id']}/stop")
            raise
        return FinishedRun(replay, time.monotonic() - began, stream.messages)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, CliError):
            await following


async def _until_finished(
    operator: Gateway,
    replay_id: str,
    following: "asyncio.Task[None]",
    show: Callable[[Progress], None],
) -> Json:
    while True:
        replay = await operator.call("GET", f"/replays/{replay_id}")
        show(Progress(replay["ticks"], replay["total_ticks"]))
        if replay["status"] == "finished":
            return replay
        if replay["status"] != "running":
            reason = replay.get("error") or "somebody stopped it"
            raise CliError(f"the replay {replay['status']}: {reason}")
        # Wakes up early only when the stream fails, whose error is then the demo's.
        done, _ = await asyncio.wait([following], timeout=_POLL_S)
        for task in done:
            task.result()


async def _last_mark(stream: CountingStream, replay: Json) -> None:
    market_time = datetime.fromisoformat(replay["market_time"])
    # Microseconds are what the API tells; the mark itself may be some nanoseconds later.
    at_ns = int(market_time.timestamp() * 1_000_000) * 1000
    try:
        async with asyncio.timeout(_LAST_MARK_TIMEOUT_S):
            await stream.wait_for_mark(replay["id"], at_ns)
    except TimeoutError as error:
        raise CliError("the replay finished, but its last time mark never came") from error


async def _collect(
    trader: Gateway,
    account_id: str,
    deployment_id: str,
    plan: DemoPlan,
    run: FinishedRun,
) -> DemoReport:
    account = f"/accounts/{account_id}"
    paper: dict[str, str | int] = {"mode": "paper"}
    deployment = await trader.call("GET", f"{account}/deployments/{deployment_id}")
    if deployment["status"] != "running":
        raise CliError(_paused(deployment))
    signals = [one async for one in trader.items(f"{account}/deployments/{deployment_id}/signals")]
    orders = [one async for one in trader.items(f"{account}/orders", paper)]
    executions = [one async for one in trader.items(f"{account}/executions", paper)]
    executions.sort(key=lambda execution: execution["seq"])
    portfolio = await trader.call("GET", f"{account}/portfolio", params=paper)
    performance = await trader.call(
        "GET", f"{account}/performance", params=paper | {"timeframe": plan.timeframe}
    )
    held = {one["symbol"]: plain(one["qty"]) for one in portfolio["positions"]}
    return DemoReport(
        ticks=run.replay["ticks"],
        candles=run.replay["candles"],
        signals=len(signals),
        orders=len(orders),
        executions=len(executions),
        position={symbol: qty for symbol, qty in held.items() if qty != "0"},
        cash=plain(portfolio["cash"]),
        equity=plain(portfolio["equity"]),
        realized_pnl=plain(performance["realized_pnl"]),
        fees=plain(performance["fees"]),
        total_return=performance["total_return_fraction"],
        max_drawdown=performance["max_drawdown_fraction"],
        sharpe=performance["sharpe"],
        win_rate=performance["win_rate"],
        websocket_messages=run.websocket_messages,
        duration_s=round(run.duration_s, 3),
        executions_digest=executions_digest(executions),
    )
