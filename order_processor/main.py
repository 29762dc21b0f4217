import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from order_processor.brokers.routes import brokers_router
from order_processor.corporate_actions.routes import corporate_actions_router
from order_processor.notifications.routes import notifications_router
from order_processor.settings import OrderProcessorSettings
from order_processor.snapshots.routes import snapshots_router
from order_processor.verification.routes import verification_router
from order_processor.wiring import wire
from shared.service.app import service_app
from shared.service.health import postgres_check, redis_check


def create_app(settings: OrderProcessorSettings) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wire(settings) as wiring:
            app.include_router(snapshots_router(settings, wiring.snapshots, wiring.redis))
            app.include_router(verification_router(settings, wiring.verification))
            app.include_router(corporate_actions_router(settings, wiring.corporate_actions))
            app.include_router(notifications_router(settings, wiring.engine))
            app.include_router(brokers_router(settings, wiring.connections))
            app.state.readiness = {
                "postgres": postgres_check(wiring.engine),
                "redis": redis_check(wiring.redis),
                "shards": wiring.shards_alive,
            }
            yield

    return service_app("Order processor", lifespan)
