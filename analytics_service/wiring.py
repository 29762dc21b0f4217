"""Builds and closes every client of this service; the only place that knows them all."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI

from analytics_service.performance.actions import Analysis
from analytics_service.performance.closes import MarketHistory
from analytics_service.performance.repository import Books
from analytics_service.performance.routes import performance_routes
from analytics_service.settings import AnalyticsSettings
from shared.database import make_engine
from shared.service.health import postgres_check
from shared.service.internal import internal_client, require_internal_token

_CANDLES_TIMEOUT_S = 20.0


@asynccontextmanager
async def wired(app: FastAPI, settings: AnalyticsSettings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        market_data = await stack.enter_async_context(
            internal_client(settings, settings.market_data_url, _CANDLES_TIMEOUT_S)
        )
        history = MarketHistory(market_data, settings.analytics_max_candles)
        analysis = Analysis(Books(engine, settings.order_shards), history)
        app.include_router(
            performance_routes(analysis),
            dependencies=[Depends(require_internal_token(settings))],
        )
        app.state.readiness = {"postgres": postgres_check(engine)}
        yield
