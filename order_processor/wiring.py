"""Builds the order processor's clients and parts, and closes them in reverse."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

from redis.asyncio import Redis
from sqlalchemy import Engine

from order_processor.brokers.connections import Connections
from order_processor.brokers.floor import Floor
from order_processor.brokers.make import broker_maker
from order_processor.brokers.session import SessionTerms
from order_processor.corporate_actions.actions import CorporateActions
from order_processor.housekeeping.actions import Housekeeping
from order_processor.notifications.herald import Herald
from order_processor.risk.rules import RuleBook
from order_processor.settings import OrderProcessorSettings
from order_processor.shards.acknowledgements import Acknowledgements
from order_processor.shards.assignment import ShardSeat
from order_processor.shards.balance import Balance
from order_processor.shards.clock import WallClock, wall_clock
from order_processor.shards.feed import TapeFeed
from order_processor.shards.journal import Journal
from order_processor.shards.owner import ShardOwner
from order_processor.shards.poison import Poison
from order_processor.shards.sessions import Sessions
from order_processor.snapshots.repository import Snapshots
from order_processor.transfers.courier import Courier
from order_processor.verification.actions import Verification
from order_processor.verification.repository import BooksReader, ChecksTable
from shared.auth.vault import Vault, parse_keys
from shared.calendars import Calendars
from shared.database import make_engine
from shared.database.leases import Lease
from shared.redis import make_redis
from shared.utils.tasks import end_tasks


@dataclass(frozen=True)
class Wiring:
    engine: Engine
    redis: Redis
    snapshots: Snapshots
    verification: Verification
    connections: Connections
    corporate_actions: CorporateActions
    seats: list[ShardSeat]
    tasks: list[asyncio.Task[None]]

    async def shards_alive(self) -> None:
        """Raises when a part that must always run has ended."""
        for task in self.tasks:
            if task.done():
                raise RuntimeError(f"{task.get_name()} has ended") from task.exception()


@contextlib.asynccontextmanager
async def wire(
    settings: OrderProcessorSettings, wall: WallClock = wall_clock
) -> AsyncIterator[Wiring]:
    """Runs while the block does; leaving it finishes the batches and returns the leases."""
    async with contextlib.AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        feed = TapeFeed(redis)
        acknowledgements = Acknowledgements(redis)
        courier = Courier(engine, redis, settings.order_shards, settings.order_transfer_retry_s)
        housekeeping = Housekeeping(
            engine, settings.order_events_keep_days, settings.order_notifications_keep_days
        )
        verification = Verification(BooksReader(engine), ChecksTable(engine))
        stack.push_async_callback(verification.close)
        vault = Vault(parse_keys(settings.broker_credentials_keys.get_secret_value()))
        connections = Connections(
            engine,
            vault,
            broker_maker(settings, engine),
            settings.broker_verify_timeout_s,
        )
        await asyncio.to_thread(connections.seal_anew)
        sessions = Sessions(Calendars(settings.calendar_folder))
        stack.callback(sessions.close)
        if settings.calendar_folder is not None:
            # Built once: the shard that the first session limit is set on would stand meanwhile.
            exchange = settings.order_risk_session_exchange
            early = asyncio.create_task(sessions.prepare(exchange), name="session calendar")
            stack.push_async_callback(end_tasks, [early])
        rules = RuleBook(engine, settings.order_risk_refresh_s)
        stack.callback(rules.close)
        # Of this process alone, also when its id comes again: a lease is never taken for its own.
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        balance = Balance(
            engine,
            name,
            settings.order_shards,
            settings.lease_duration_s,
        )
        seats = _seats(
            settings, engine, redis, feed, acknowledgements, sessions, rules, wall, vault, balance
        )
        tasks = [
            asyncio.create_task(feed.run(), name="tape"),
            asyncio.create_task(acknowledgements.run(), name="acknowledgements"),
            asyncio.create_task(rules.run(), name="risk rules"),
            asyncio.create_task(courier.run(), name="transfers"),
            asyncio.create_task(Herald(engine, redis).run(), name="notifications"),
            asyncio.create_task(housekeeping.run(), name="housekeeping"),
            asyncio.create_task(
                verification.every_night(settings.order_books_check_hour, wall),
                name="nightly check",
            ),
        ]
        stack.push_async_callback(end_tasks, list(tasks))
        shards = [asyncio.create_task(seat.run(), name="shard") for seat in seats]
        stack.push_async_callback(_drain, seats, shards, settings.drain_timeout_s)
        await stack.enter_async_context(balance.among(seats))
        snapshots = Snapshots(engine, settings.order_shards)
        yield Wiring(
            engine,
            redis,
            snapshots,
            verification,
            connections,
            CorporateActions(engine, sessions),
            seats,
            [*tasks, *shards],
        )


def _seats(
    settings: OrderProcessorSettings,
    engine: Engine,
    redis: Redis,
    feed: TapeFeed,
    acknowledgements: Acknowledgements,
    sessions: Sessions,
    rules: RuleBook,
    wall: WallClock,
    vault: Vault,
    balance: Balance,
) -> list[ShardSeat]:

    def seat(shard: int) -> ShardSeat:
        journal = Journal(engine, shard, settings.order_shards, settings.lease_duration_s)

        def make_owner(lease: Lease, poison: Poison, stopping: asyncio.Event) -> ShardOwner:
            return ShardOwner(
                shard,
                lease,
                settings=settings,
                journal=journal,
                redis=redis,
                feed=feed,
                acknowledgements=acknowledgements,
                wall=wall,
                sessions=sessions,
                rules=rules,
                poison=poison,
                stopping=stopping,
                floor=_floor(settings, shard, engine, redis, vault),
            )

        return ShardSeat(
            shard,
            balance.name,
            journal,
            make_owner,
            balance=balance,
            try_every_s=settings.lease_duration_s / 4,
            stand_back_s=settings.lease_duration_s,
        )

    return [seat(shard) for shard in range(settings.order_shards)]


def _floor(
    settings: OrderProcessorSettings, shard: int, engine: Engine, redis: Redis, vault: Vault
) -> Floor | None:
    if not settings.live_trading:
        return None
    terms = SessionTerms(
        reconnect_s=settings.broker_reconnect_s,
        reconnects=settings.broker_reconnects,
        ask_s=settings.broker_ask_s,
        send_within_s=settings.broker_send_within_s,
    )
    make = broker_maker(settings, engine)
    return Floor(shard, settings.order_shards, engine, redis, vault, make, terms)


async def _drain(
    seats: list[ShardSeat], shards: list[asyncio.Task[None]], timeout_s: float
) -> None:
    for seat in seats:
        seat.stop()
    await asyncio.wait(shards, timeout=timeout_s)
    await end_tasks(shards)
