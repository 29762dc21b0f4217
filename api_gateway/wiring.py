"""Builds and closes every client. The only place that knows the concrete ones."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import sessionmaker

from api_gateway.accounts.actions import Accounts
from api_gateway.callers import Callers
from api_gateway.cash.actions import Cash
from api_gateway.fx.actions import Fx
from api_gateway.identity.actions import Identity
from api_gateway.identity.passwords import Passwords
from api_gateway.lending.actions import Lending
from api_gateway.margin.actions import Margin
from api_gateway.notifications.actions import Notifications
from api_gateway.orders.actions import Orders
from api_gateway.orders.requests import OrderProcessor
from api_gateway.position_conversions.actions import PositionConversions
from api_gateway.risk.actions import Risk
from api_gateway.risk.following import Followers
from api_gateway.settings import GatewaySettings
from api_gateway.upstream import Upstream
from shared.auth import Tokens
from shared.database import make_engine
from shared.redis import make_redis
from shared.redis.rate import RateLimit
from shared.redis.requests import OrderRequests
from shared.service.health import Check, postgres_check, redis_check
from shared.service.internal import internal_client


@dataclass(frozen=True)
class Gateway:
    """What the routes use."""

    settings: GatewaySettings
    identity: Identity
    callers: Callers
    accounts: Accounts
    cash: Cash
    orders: Orders
    position_conversions: PositionConversions
    risk: Risk
    lending: Lending
    margin: Margin
    fx: Fx
    notifications: Notifications
    market_data: Upstream
    strategies: Upstream
    analytics: Upstream
    #: The order processor, where it answers over HTTP.
    books: Upstream
    strategy_uploads: RateLimit
    readiness: Mapping[str, Check]


@contextlib.asynccontextmanager
async def wired(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """Raises when Postgres or Redis can't be reached, or the first admin can't be made."""
    async with AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        passwords = Passwords(settings.password_hash_rounds)
        stack.callback(passwords.close)
        requests = OrderRequests(redis, settings.order_shards)
        await stack.enter_async_context(requests.listening())

        async def upstream(name: str, url: str) -> Upstream:
            client = internal_client(settings, url, settings.upstream_timeout_s)
            return Upstream(name, await stack.enter_async_context(client))

        sessions = sessionmaker(engine, expire_on_commit=False)
        tokens = Tokens.from_settings(settings)
        session_timeout = timedelta(minutes=settings.session_timeout_minutes)
        processor = OrderProcessor(requests, settings.order_answer_timeout_s)
        followers = Followers(requests, settings.order_shards, settings.order_answer_timeout_s)
        gateway = Gateway(
            settings=settings,
            identity=Identity(
                sessions,
                passwords,
                tokens,
                access_lifetime=timedelta(minutes=settings.jwt_access_token_minutes),
                session_timeout=session_timeout,
            ),
            callers=Callers(
                sessions,
                tokens,
                session_timeout=session_timeout,
                recheck_s=settings.session_recheck_s,
            ),
            accounts=Accounts(sessions, redis, processor, settings.order_shards),
            cash=Cash(sessions, processor),
            orders=Orders(sessions, processor),
            position_conversions=PositionConversions(sessions, processor),
            risk=Risk(sessions, processor, followers),
            lending=Lending(sessions, followers),
            margin=Margin(sessions, processor),
            fx=Fx(sessions),
            notifications=Notifications(sessions),
            market_data=await upstream("market data engine", settings.market_data_url),
            strategies=await upstream("strategy service", settings.strategy_workers_url),
            analytics=await upstream("analytics service", settings.analytics_url),
            books=await upstream("order processor", settings.order_processor_url),
            strategy_uploads=RateLimit(
                redis, "strategy-uploads", settings.strategy_uploads_per_minute, 60
            ),
            readiness={"postgres": postgres_check(engine), "redis": redis_check(redis)},
        )
        if settings.admin_email is not None and settings.admin_password is not None:
            await gateway.identity.ensure_first_admin(
                settings.admin_email,
                settings.admin_username,
                settings.admin_password.get_secret_value(),
            )
        yield gateway
