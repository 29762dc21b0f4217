import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api_gateway.accounts.routes import router as accounts
from api_gateway.backtests.routes import router as backtests
from api_gateway.books_checks.routes import router as books_checks
from api_gateway.brokers.routes import router as brokers
from api_gateway.cash.routes import router as cash
from api_gateway.corporate_actions.routes import router as corporate_actions
from api_gateway.documentation import install_openapi
from api_gateway.errors import install_refusal_handler
from api_gateway.fx.routes import router as fx
from api_gateway.headers import SecurityHeaders
from api_gateway.identity.routes import router as identity
from api_gateway.lending.routes import router as lending
from api_gateway.margin.routes import router as margin
from api_gateway.market_data.candle_file_routes import router as candle_files
from api_gateway.market_data.job_routes import router as data_jobs
from api_gateway.market_data.mapping_routes import router as mappings
from api_gateway.market_data.provider_routes import router as providers
from api_gateway.market_data.quality_routes import router as quality
from api_gateway.market_data.replay_routes import router as replays
from api_gateway.market_data.routes import router as market_data
from api_gateway.market_data.universe_routes import router as universe
from api_gateway.notifications.routes import router as notifications
from api_gateway.orders.routes import router as orders
from api_gateway.origin import OriginContext
from api_gateway.performance.routes import router as performance
from api_gateway.position_conversions.routes import router as position_conversions
from api_gateway.risk.routes import router as risk
from api_gateway.settings import GatewaySettings
from api_gateway.strategies.parity_routes import router as parity_reports
from api_gateway.strategies.routes import router as strategies
from api_gateway.strategies.upload_routes import router as uploads
from api_gateway.system.routes import router as system
from api_gateway.terminal.routes import terminal_router
from api_gateway.wiring import wired
from shared.service.app import service_app

API = "/api/v1"
#: Bodies below them are bounded by what takes them.
_UPLOADS = frozenset({f"{API}/market-files/", f"{API}/candle-files/"})


def create_app(settings: GatewaySettings) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wired(settings) as gateway:
            app.state.gateway = gateway
            app.state.readiness = gateway.readiness
            yield

    app = service_app("API gateway", lifespan, unbounded_paths=_UPLOADS)
    install_refusal_handler(app)
    install_openapi(app)
    # A request is compared with one route after another: orders are most of them.
    for router in (
        orders,
        identity,
        accounts,
        brokers,
        cash,
        position_conversions,
        risk,
        margin,
        lending,
        notifications,
        market_data,
        replays,
        candle_files,
        fx,
        providers,
        data_jobs,
        universe,
        mappings,
        quality,
        strategies,
        uploads,
        parity_reports,
        backtests,
        performance,
        books_checks,
        corporate_actions,
        system,
    ):
        app.include_router(router, prefix=API)
    app.include_router(terminal_router(settings))
    if settings.cors_allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=600,
        )
    app.add_middleware(OriginContext)
    app.add_middleware(SecurityHeaders)
    return app
