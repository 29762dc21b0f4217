"""Builds and closes every client of this service; the only place that knows them all."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from websockets.asyncio.server import Server

from shared.auth import Tokens
from shared.database import make_engine
from shared.database.engine import DatabaseThread
from shared.redis import make_redis
from shared.service.health import postgres_check, redis_check
from shared.service.internal_client import internal_client
from websocket_service.authority import Authority
from websocket_service.hub import Hub
from websocket_service.observers import Observers
from websocket_service.server import StreamServer
from websocket_service.settings import WebsocketSettings
from websocket_service.snapshots import Snapshots

_SNAPSHOT_TIMEOUT_S = 5.0


@asynccontextmanager
async def running_server(settings: WebsocketSettings) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        thread = DatabaseThread("websocket-database")
        stack.callback(thread.close)
        market_data = await stack.enter_async_context(
            internal_client(settings, settings.market_data_url, _SNAPSHOT_TIMEOUT_S)
        )
        orders = await stack.enter_async_context(
            internal_client(settings, settings.order_processor_url, _SNAPSHOT_TIMEOUT_S)
        )
        timeout = timedelta(minutes=settings.session_timeout_minutes)
        server = StreamServer(
            settings,
            Hub(redis, Snapshots(redis, market_data, orders)),
            Authority(engine, thread, Tokens.from_settings(settings), timeout),
            Observers(redis),
            {"postgres": postgres_check(engine), "redis": redis_check(redis)},
        )
        yield await stack.enter_async_context(server.serving())
