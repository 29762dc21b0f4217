from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from analytics_service.settings import AnalyticsSettings
from analytics_service.wiring import wired
from shared.service.app import service_app


def create_app(settings: AnalyticsSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wired(app, settings):
            yield

    return service_app("Analytics", lifespan)
