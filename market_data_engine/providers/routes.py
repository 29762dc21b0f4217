"""HTTP edge of providers and of the market data configuration."""

from fastapi import APIRouter

from market_data_engine.errors import Refused
from market_data_engine.providers.actions import ProviderDesk
from market_data_engine.providers.schemas import (
    ConfigurationChange,
    ConfigurationView,
    ProviderList,
)
from shared.service.problems import Problem

_STATUS = {"invalid_configuration": 422, "configuration_changed": 409}


def provider_routes(desk: ProviderDesk) -> APIRouter:
    router = APIRouter(prefix="/internal/market-data")

    @router.get("/providers")
    async def providers() -> ProviderList:
        return await desk.view()

    @router.get("/configuration")
    async def configuration() -> ConfigurationView:
        await desk.load()
        return _view(desk)

    @router.put("/configuration")
    async def change(body: ConfigurationChange) -> ConfigurationView:
        changed = await desk.change(body.configuration, body.requested_by, body.based_on)
        if isinstance(changed, Refused):
            raise Problem(_STATUS[changed.code], changed.code, changed.message)
        return ConfigurationView(
            version=changed.version, configuration=changed.configuration.model_dump(mode="json")
        )

    return router


def _view(desk: ProviderDesk) -> ConfigurationView:
    current = desk.current
    return ConfigurationView(
        version=current.version, configuration=current.configuration.model_dump(mode="json")
    )
