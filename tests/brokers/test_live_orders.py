"""Live orders through an order processor and a broker that misbehaves."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api_gateway.risk.repository import set_limits
from order_processor.brokers.connections import BrokerConnection, Credentials
from order_processor.settings import OrderProcessorSettings
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring, wire
from shared.config import Settings
from shared.models.orders import CancelOrder, Order, OrderReply
from shared.models.risk import EngageKillSwitch, RiskReply, SeeRisk
from shared.redis.requests import OrderRequests
from tests.brokers.simulated import SimulatedBroker, served
from tests.order_processor.support import Desk, Feed, ProcessorProcess, add_instrument, until

KEYS = f"a:{base64.b64encode(bytes(32)).decode()}"


@dataclass
class Live:
    desk: Desk
    broker: SimulatedBroker
    settings: OrderProcessorSettings

    async def buy(self, name: str, qty: str = "10", limit: str = "100", **more: Any) -> Order:
        return await self.desk.submit(
            "buy", qty, limit=limit, client_order_id=name, mode="live", **more
        )

    def row(self, name: str) -> Any:
        rows = self.desk.rows(
            "SELECT * FROM orders WHERE client_order_id = :name AND mode = 'live'", name=name
        )
        return rows[0] if rows else None

    async def status(self, name: str, status: str) -> Any:
        await until(lambda: (row := self.row(name)) and row.status == status)
        return self.row(name)

    async def ready(self) -> None:
        sql = "SELECT state FROM broker_connections WHERE account_id = :a"
        opened = "SELECT count(*) FROM ledger_entries WHERE account_id = :a AND mode = 'live'"
        await until(
            lambda: (
                self.desk.value(sql, a=self.desk.account) == "ready"
                and self.desk.value(opened, a=self.desk.account)
            )
        )

    async def listening(self) -> None:
        await until(lambda: self.broker.listeners == 1)

    def differences(self) -> list[tuple[str, str]]:
        return [
            (row.kind, row.subject)
            for row in self.desk.rows(
                "SELECT * FROM broker_differences WHERE gone_at IS NULL ORDER BY kind"
            )
        ]

    def books(self) -> tuple[Decimal, Decimal]:
        """Cash, and the position in SPY."""
        cash = self.desk.value(
            "SELECT balance FROM ledger_entries WHERE mode = 'live' ORDER BY seq DESC LIMIT 1"
        )
        held = self.desk.value("SELECT qty FROM positions WHERE mode = 'live'")
        return cash, held or Decimal(0)

    def check(self) -> None:
        """The books add up, and say what the broker has."""
        assert BooksReader(self.desk.engine).check(self.desk.account, "live")[0] == []
        held = self.broker.positions.get("SPY", (Decimal(0), Decimal(0)))[0]
        assert self.books() == (self.broker.cash, held)
        ids = [body["client_order_id"] for body in self.broker.orders.values()]
        assert len(ids) == len(set(ids))


@pytest.fixture
async def live(
    engine: Engine, settings: Settings, requests: OrderRequests, calendar_folder: Path
) -> AsyncIterator[Live]:
    broker = SimulatedBroker()
    async with served(broker) as url:
        own = OrderProcessorSettings(
            _env_file=None,
            **(settings.model_dump() | {"calendar_folder": calendar_folder, "order_shards": 4}),
            alpaca_url=url,
            broker_credentials_keys=SecretStr(KEYS),
            broker_answer_timeout_s=1,
            broker_reconnect_s=0.05,
            broker_ask_s=0.2,
            live_trading=True,
        )
        add_instrument(engine, "SPY")
        yield Live(Desk(engine, requests), broker, own)


Running = Callable[[], AbstractAsyncContextManager[Wiring]]


@pytest.fixture
def running(live: Live) -> Running:
    @contextlib.asynccontextmanager
    async def run() -> AsyncIterator[Wiring]:
        async with wire(live.settings) as wiring:
            if wiring.connections.see(live.desk.account) is None:
                made = await wiring.connections.connect(
                    live.desk.account, "alpaca", Credentials("key", "secret"), "user:1"
                )
                assert isinstance(made, BrokerConnection), made
            await live.ready()
            yield wiring

    return run


async def cancel(live: Live, order: Order) -> OrderReply:
    reply = await live.desk.ask(
        CancelOrder(
            request_id=f"cancel-{order.id}",
            reply_to=live.desk.requests.reply_to,
            account_id=live.desk.account,
            mode="live",
            order_id=order.id,
            submitted_by="user:1",
        )
    )
    assert isinstance(reply, OrderReply), reply
    return reply


async def test_an_order_is_stored_sent_filled_and_settled(
    live: Live, running: Running, redis: Redis
) -> None:
    async with running():
        assert (await live.buy("one")).status == "new"
        await live.status("one", "accepted")
        await live.broker.fill("one", "4", "99.5")
        await live.status("one", "partially_filled")
        await live.broker.fill("one", "6", "100")
        row = await live.status("one", "filled")
        assert (row.filled_qty, row.filled_avg_price) == (10, Decimal("99.8"))
        assert (await live.buy("one")).status == "filled"
        assert len(live.broker.placed) == 1
        # Prints of the tape are nothing to it.
        await Feed(redis).print(1.0)
        await live.desk.submit("buy", "1", limit="2")
        live.check()
        assert live.differences() == []


async def test_updates_twice_reordered_and_lost_count_once(live: Live, running: Running) -> None:
    async with running():
        live.broker.faults.duplicate = True
        await live.buy("twice")
        await live.status("twice", "accepted")
        await live.broker.fill("twice", "3", "90")
        await live.broker.fill("twice", "7", "91")
        await live.status("twice", "filled")
        live.broker.faults.duplicate = False

        await live.buy("mixed")
        await live.status("mixed", "accepted")
        live.broker.faults.reorder = True
        await live.broker.fill("mixed", "3", "80")
        await live.broker.fill("mixed", "7", "90")
        await live.broker.release()
        row = await live.status("mixed", "filled")
        assert (row.filled_qty, row.filled_avg_price) == (10, 87)

        await live.buy("missed")
        await live.status("missed", "accepted")
        live.broker.faults.lose = True
        await live.broker.fill("missed", "10", "70")
        live.broker.faults.lose = False
        await live.broker.drop_streams()
        await live.status("missed", "filled")
        live.check()
        assert live.differences() == []


async def test_an_unknown_outcome_is_asked_for_and_never_sent_twice(
    live: Live, running: Running
) -> None:
    async with running():
        for outcome in ("500", "garbage", "hang"):
            live.broker.faults.lose = True
            live.broker.faults.after_accept.append(outcome)
            await live.buy(outcome, qty="1")
            await live.status(outcome, "accepted")
            live.broker.faults.lose = False
        assert len(live.broker.placed) == 3
        live.broker.faults.statuses.append(429)
        await live.buy("busy", qty="1")
        await live.status("busy", "accepted")
        live.check()


async def test_what_the_broker_refuses_or_ends_ends_here_with_its_reason(
    live: Live, running: Running
) -> None:
    async with running():
        live.broker.faults.refusals.append((403, 40310000, "insufficient buying power"))
        await live.buy("no")
        row = await live.status("no", "rejected")
        assert (row.reason_code, row.reason) == ("broker_rejected", "insufficient buying power")
        await live.buy("expires")
        await live.status("expires", "accepted")
        await live.broker.end("expires", "expired")
        await live.status("expires", "expired")
        live.check()


async def test_a_cancel_ends_the_order_when_the_broker_says_so(
    live: Live, running: Running
) -> None:
    async with running():
        order = await live.buy("one")
        await live.status("one", "accepted")
        live.broker.faults.undecided = True
        assert (await cancel(live, order)).order.status == "accepted"
        await until(lambda: live.broker.cancelled)
        assert live.row("one").status == "accepted"
        # It fills while the cancel is under way.
        await live.broker.fill("one", "4", "100")
        live.broker.by_client_id("one")["status"] = "pending_cancel"
        await live.broker.settle()
        row = await live.status("one", "cancelled")
        assert row.filled_qty == 4
        live.check()


async def test_a_kill_switch_ends_the_orders_at_the_broker(live: Live, running: Running) -> None:
    async with running():
        await live.buy("held")
        await live.status("held", "accepted")
        await live.broker.fill("held", "10", "100")
        await live.status("held", "filled")
        await Feed(live.desk.requests._redis).print(100.0)
        await live.buy("working", qty="1")
        await live.status("working", "accepted")
        await live.desk.submit("sell", "2", limit="120", client_order_id="sells", mode="live")
        await live.status("sells", "accepted")
        reply = await live.desk.ask(
            EngageKillSwitch(
                request_id="kill",
                reply_to=live.desk.requests.reply_to,
                account_id=live.desk.account,
                mode="live",
                submitted_by="user:1",
                reason="enough",
                flatten=True,
            )
        )
        assert isinstance(reply, RiskReply), reply
        await live.status("working", "cancelled")
        await live.status("sells", "cancelled")
        closing = "risk close 1.SPY"
        # What the working sell was for was not free.
        assert (await live.status(closing, "accepted")).qty == 8
        await live.broker.fill(closing, "8", "99")
        await live.status(closing, "filled")
        assert (await live.buy("after")).reason_code == "kill_switch_account"
        live.check()


async def test_prices_of_a_replay_make_no_loss_of_a_live_account(
    live: Live, running: Running
) -> None:
    limits = {"max_loss": "500", "flatten_on_loss": True}
    with Session(live.desk.engine) as db, db.begin():
        set_limits(db, "account", str(live.desk.account), "live", limits, "user:admin")
    feed = Feed(live.desk.requests._redis)

    async def stands() -> RiskReply:
        reply = await live.desk.ask(
            SeeRisk(
                request_id=uuid4().hex,
                reply_to=live.desk.requests.reply_to,
                account_id=live.desk.account,
                mode="live",
            )
        )
        assert isinstance(reply, RiskReply), reply
        return reply

    async def lost(loss: int) -> bool:
        return (await stands()).loss == loss

    async with running():
        await feed.print(100.0)
        await live.buy("held")
        await live.status("held", "accepted")
        await live.broker.fill("held", "10", "100")
        await live.status("held", "filled")
        await feed.start(paced=True)
        await feed.print(1.0)
        await until(lambda: lost(990))
        assert (await stands()).state.loss is None
        refused = await live.desk.refused("buy", "1", limit="1", mode="live")
        assert refused.code == "market_not_live"
        await feed.start()
        await feed.print(40.0)
        await until(lambda: lost(600))
        await live.status("risk close 1.SPY", "accepted")


async def test_what_differs_is_recorded_and_the_books_stay(live: Live, running: Running) -> None:
    async with running() as wiring:
        await live.buy("one")
        await live.status("one", "accepted")
        await live.broker.fill("one", "10", "100")
        await live.status("one", "filled")
        await live.broker.order_by_hand("SPY", "5")
        before = live.books()
        live.broker.cash -= 7
        live.broker.positions["QQQ"] = (Decimal(3), Decimal(1))
        await live.broker.drop_streams()
        await until(
            lambda: (
                [kind for kind, _ in live.differences()] == ["cash", "position", "unknown_order"]
            )
        )
        assert live.books() == before
        seen = wiring.connections.see(live.desk.account)
        assert seen is not None
        assert {(d.kind, d.ours, d.theirs) for d in seen.differences if d.kind == "position"} == {
            ("position", "0", "3")
        }
        live.broker.cash += 7
        del live.broker.positions["QQQ"]
        await live.broker.drop_streams()
        await until(lambda: [kind for kind, _ in live.differences()] == ["unknown_order"])


async def test_while_the_broker_is_away_orders_are_refused_and_then_it_is_stopped(
    live: Live, running: Running
) -> None:
    async with running() as wiring:
        live.broker.faults.refuse_streams = True
        await live.broker.drop_streams()
        state = "SELECT state FROM broker_connections"
        await until(lambda: live.desk.value(state) != "ready")
        refused = await live.desk.refused("buy", "1", limit="1", mode="live")
        assert refused.code == "broker_not_ready"
        await until(lambda: live.desk.value(state) == "stopped")
        live.broker.faults.refuse_streams = False
        await wiring.connections.connect(
            live.desk.account, "alpaca", Credentials("key", "secret"), "user:1"
        )
        await live.ready()
        wiring.connections.disconnect(live.desk.account)
        await until(lambda: live.broker.listeners == 0)
        refused = await live.desk.refused("buy", "1", limit="1", mode="live")
        assert refused.code == "broker_not_ready"


async def test_what_live_accounts_do_not_have_is_refused(live: Live, running: Running) -> None:
    other = Desk(live.desk.engine, live.desk.requests)
    async with running():
        refused = await other.refused("buy", "1", limit="1", mode="live")
        assert refused.code == "mode_not_available"
        for more, code in (
            ({"time_in_force": "gtd"}, "broker_time_in_force"),
            ({"order_class": "bracket"}, "not_available_live"),
            ({"qty": "0.5"}, "broker_whole_qty"),
        ):
            values = {"qty": "1", "limit": "1", "mode": "live"} | more
            refused = await live.desk.refused("buy", values.pop("qty"), **values)
            assert refused.code == code
        rejected = await live.buy("dear", qty="100000")
        assert rejected.reason_code == "insufficient_buying_power"
        assert live.broker.placed == []


@pytest.mark.parametrize("moment", ["before_sent", "sent", "answered"])
async def test_killed_at_any_step_an_order_is_at_the_broker_once(
    live: Live, running: Running, processes: Callable[..., ProcessorProcess], moment: str
) -> None:
    async with running():
        pass  # the books are open
    environment = {
        "ALPACA_URL": live.settings.alpaca_url,
        "BROKER_CREDENTIALS_KEYS": KEYS,
        "BROKER_RECONNECT_S": "0.05",
        "BROKER_ASK_S": "0.2",
        "LIVE_TRADING": "true",
    }
    broker = live.broker
    first = processes(**environment)
    await live.listening()
    await live.ready()
    if moment == "before_sent":
        broker.faults.slow_s = 30  # the request arrives, and is not carried out
    elif moment == "sent":
        broker.faults.after_accept.append("hang")
        broker.faults.lose = True
    command = live.desk.command("buy", "10", limit="100", client_order_id="one", mode="live")
    while True:
        reply = await live.desk.requests.ask(command, 30)
        if isinstance(reply, OrderReply):
            break
        assert reply.code == "broker_not_ready"  # type: ignore[union-attr]
        await asyncio.sleep(0.05)
    if moment != "before_sent":
        await until(lambda: broker.orders)
    if moment == "answered":
        await live.status("one", "accepted")
    first.kill()
    broker.faults.slow_s, broker.faults.lose = 0, False
    if moment != "before_sent":
        await broker.fill("one", "10", "100")  # nobody hears it
    async with running():
        await live.status("one", "accepted" if moment == "before_sent" else "filled")
        assert len(broker.orders) == 1
        live.check()
        assert live.differences() == []
