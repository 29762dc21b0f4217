"""The broker sessions of one shard's accounts, for one spell of owning it."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
import structlog
from redis.asyncio import Redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from order_processor.brokers.broker import Broker
from order_processor.brokers.connections import BrokerName, Credentials, MakeBroker, context_of
from order_processor.brokers.session import BrokerSession, Outbox, SessionTerms, State, Tracked
from order_processor.shards.batch import Batch
from order_processor.shards.state import StoredBooks
from shared.auth.vault import Vault, VaultError
from shared.models.base import encode
from shared.models.brokers import BrokerAccount, BrokerPosition, BrokerUpdate
from shared.models.identifiers import AccountId, OrderId
from shared.models.orders import Command, CompareBroker, HearBroker
from shared.redis.keys import order_commands, replies, shard_of
from shared.trading.orders import WORKING
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

_LOOK_EVERY_S = 1.0


class Connected(msgspec.Struct, frozen=True):
    account_id: UUID
    broker: BrokerName
    credentials: str
    connected_at: datetime


class Floor:
    def __init__(
        self,
        shard: int,
        shards: int,
        engine: Engine,
        redis: Redis,
        vault: Vault,
        make_broker: MakeBroker,
        terms: SessionTerms,
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._engine = engine
        self._redis = redis
        self._vault = vault
        self._make_broker = make_broker
        self._terms = terms
        self._tracked: dict[UUID, dict[OrderId, Tracked]] = {}
        self._sessions: dict[UUID, BrokerSession] = {}
        self._running: dict[UUID, tuple[Connected, asyncio.Task[None]]] = {}

    def session(self, account_id: UUID) -> BrokerSession | None:
        return self._sessions.get(account_id)

    # --- what is to be sent ------------------------------------------------------------------

    def recover(self, stored: Iterable[StoredBooks]) -> None:
        """Begin with the orders that work: a former owner may have sent them."""
        for books in stored:
            if books.mode == "live":
                tracked = self._tracked.setdefault(books.account.id, {})
                for working, _ in books.state.working:
                    tracked[working.order.id] = Tracked(
                        working.order, working.broker_order_id, working.cancel_wanted
                    )

    def committed(self, batch: Batch) -> None:
        """What a commit made durable may be sent from now on."""
        woken: set[UUID] = set()
        for order in (*batch.opened.values(), *batch.changed.values()):
            if order.mode != "live":
                continue
            tracked = self._tracked.setdefault(order.account_id, {})
            if order.status not in WORKING:
                tracked.pop(order.id, None)
            elif order.id in tracked:
                tracked[order.id].order = order
            else:
                # Nobody can have sent it before.
                tracked[order.id] = Tracked(order, perhaps_sent=False)
            woken.add(order.account_id)
        for noted in batch.broker_orders.values():
            known = self._tracked.get(noted.account_id, {}).get(noted.order_id)
            if known is not None:
                known.cancel_wanted = noted.cancel_wanted
                known.broker_order_id = noted.broker_order_id or known.broker_order_id
                woken.add(noted.account_id)
        for account_id in woken:
            session = self._sessions.get(account_id)
            if session is not None:
                session.wake()

    # --- sessions ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the connections until cancelled."""
        try:
            while True:
                try:
                    await self._follow(await asyncio.to_thread(self._connected))
                except SQLAlchemyError as error:
                    log.warning("connections_not_read", error=repr(error))
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            tasks = [task for _, task in self._running.values()]
            self._sessions.clear()
            await end_tasks(tasks)

    def _connected(self) -> list[Connected]:
        with self._engine.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT account_id, broker, credentials, connected_at FROM broker_connections"
                    " WHERE credentials IS NOT NULL"
                )
            )
            every = [Connected(*row) for row in rows]
        return [each for each in every if shard_of(each.account_id, self._shards) == self._shard]

    async def _follow(self, connected: list[Connected]) -> None:
        wanted = {each.account_id: each for each in connected}
        for account_id, (known, task) in list(self._running.items()):
            now = wanted.get(account_id)
            if now is None or now.connected_at != known.connected_at:
                self._sessions.pop(account_id, None)
                del self._running[account_id]
                await end_tasks([task])
        for account_id, each in wanted.items():
            if account_id not in self._running:
                task = asyncio.create_task(self._attend(each), name=f"broker-{account_id}")
                self._running[account_id] = (each, task)

    async def _attend(self, connected: Connected) -> None:
        """One connection, until it is cancelled or only a person can help."""
        account_id = connected.account_id
        context = context_of(account_id, connected.broker)
        try:
            opened = self._vault.open(connected.credentials, context)
        except VaultError:
            await self._note_state(account_id, "stopped", "credentials_not_opened")
            return
        credentials = msgspec.json.decode(opened, type=Credentials)
        while True:
            await self._note_state(account_id, "connecting", None)
            broker = self._make_broker(connected.broker, credentials)
            try:
                await self._converse(account_id, broker)
                return
            except Exception:
                # A bug, or a store that is away: never without a session for good.
                log.exception("broker_session_failed", account_id=str(account_id))
                await asyncio.sleep(self._terms.reconnect_s)
            finally:
                self._sessions.pop(account_id, None)
                await broker.close()

    async def _converse(self, account_id: UUID, broker: Broker) -> None:
        tracked = self._tracked.setdefault(account_id, {})
        for each in tracked.values():
            each.perhaps_sent = True
            each.cancel_sent = each.told_end = False
        session = BrokerSession(broker, tracked, self._outbox(account_id), self._terms)
        self._sessions[account_id] = session
        await session.run()

    # --- what it says ------------------------------------------------------------------------

    def _outbox(self, account_id: UUID) -> Outbox:
        account = AccountId(account_id)

        async def hear(update: BrokerUpdate) -> None:
            await self._send(
                HearBroker(
                    request_id=f"broker:{uuid4().hex}",
                    reply_to=replies("broker"),
                    account_id=account,
                    mode="live",
                    update=update,
                )
            )

        async def compare(has: BrokerAccount, positions: list[BrokerPosition]) -> None:
            await self._send(
                CompareBroker(
                    request_id=f"broker:{uuid4().hex}",
                    reply_to=replies("broker"),
                    account_id=account,
                    mode="live",
                    account=has,
                    positions=tuple(positions),
                )
            )

        async def state(now: State, why: str | None) -> None:
            await self._note_state(account_id, now, why)

        return Outbox(hear, compare, state)

    async def _send(self, command: Command) -> None:
        await self._redis.xadd(order_commands(self._shard), {"b": encode(command)})

    async def _note_state(self, account_id: UUID, state: State, why: str | None) -> None:
        log.info("broker_session", account_id=str(account_id), state=state, why=why)

        def work() -> None:
            with self._engine.begin() as connection:
                connection.execute(
                    text(
                        "UPDATE broker_connections SET state = :state, state_reason = :why,"
                        " state_at = now() WHERE account_id = :account_id"
                    ),
                    {"state": state, "why": why, "account_id": account_id},
                )

        await asyncio.to_thread(work)
