"""The application: enter, serve, leave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from market_data_engine.candle_files.routes import UPLOADS as CANDLE_FILES
from market_data_engine.market_files.routes import UPLOADS as MARKET_FILES
from market_data_engine.settings import MarketDataSettings
from market_data_engine.wiring import wire
from shared.service.app import service_app
from shared.service.internal import require_internal_token


def create_app(settings: MarketDataSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wire(settings) as market_data:
            app.state.readiness = market_data.readiness
            app.state.market_data = market_data
            for router in market_data.routers:
                app.include_router(router, dependencies=[Depends(require_internal_token(settings))])
            yield

    return service_app(
        "Market data engine", lifespan, unbounded_paths=frozenset({MARKET_FILES, CANDLE_FILES})
    )
