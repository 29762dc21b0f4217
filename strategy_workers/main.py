import contextlib
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI

from shared.service.app import service_app
from shared.service.internal import require_internal_token
from strategy_workers.deployments.routes import router as deployments
from strategy_workers.jobs.routes import router as backtests
from strategy_workers.library.routes import router as strategies
from strategy_workers.parity.routes import router as parity_reports
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.uploads.routes import router as uploads
from strategy_workers.wiring import wire


def create_app(settings: StrategyWorkersSettings) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wire(app, settings):
            yield

    app = service_app("Strategy workers", lifespan)
    internal = [Depends(require_internal_token(settings))]
    app.include_router(strategies, dependencies=internal)
    app.include_router(uploads, dependencies=internal)
    app.include_router(deployments, dependencies=internal)
    app.include_router(parity_reports, dependencies=internal)
    app.include_router(backtests, dependencies=internal)
    return app
