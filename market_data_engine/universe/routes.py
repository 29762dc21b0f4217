"""HTTP edge of the universe: the symbols that are looked after, as a list or as CSV."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from market_data_engine.csv_rows import TableError
from market_data_engine.errors import Refused
from market_data_engine.providers.actions import ProviderDesk
from market_data_engine.providers.configuration import TIERS, Tier
from market_data_engine.universe.members import as_table, members_of
from shared.service.problems import Problem

_STATUS = {"invalid_configuration": 422, "configuration_changed": 409}


class UniverseMember(BaseModel):
    symbol: str
    tier: Tier
    #: How often it is looked at.
    cadence_s: float
    #: False: it is there because a live feed follows it.
    configured: bool


class UniverseList(BaseModel):
    #: Of the configuration that names them.
    version: int
    items: list[UniverseMember]
    next_cursor: str | None


def universe_routes(
    desk: ProviderDesk, universe: Callable[[], Mapping[Tier, Sequence[str]]]
) -> APIRouter:
    router = APIRouter(prefix="/internal/market-data/universe")

    @router.get("", response_model=UniverseList)
    async def members(
        tier: Tier | None = None,
        cursor: Annotated[str, Query(max_length=32)] = "",
        limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
        layout: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> UniverseList | Response:
        await desk.load()
        if layout == "csv":
            return Response(as_table(desk.current.configuration.tiers), media_type="text/csv")
        return _page(desk, universe(), tier, cursor, limit)

    @router.put("")
    async def replace(
        request: Request, requested_by: Annotated[str, Query(min_length=1, max_length=200)]
    ) -> UniverseList:
        try:
            tiers = members_of(await request.body())
        except TableError as error:
            rows = [{"field": "file", "message": fault} for fault in error.faults]
            raise Problem(422, "invalid_universe", str(error), errors=rows) from None
        changed = await desk.change_tiers(tiers, requested_by)
        if isinstance(changed, Refused):
            raise Problem(_STATUS[changed.code], changed.code, changed.message)
        return _page(desk, universe(), None, "", 1000)

    return router


def _page(
    desk: ProviderDesk,
    universe: Mapping[Tier, Sequence[str]],
    tier: Tier | None,
    after: str,
    limit: int,
) -> UniverseList:
    """By symbol."""
    current = desk.current
    configured = {symbol for symbols in current.configuration.tiers.values() for symbol in symbols}
    found = sorted(
        (symbol, named)
        for named in (TIERS if tier is None else (tier,))
        for symbol in universe.get(named, ())
        if symbol > after
    )
    items = [
        UniverseMember(
            symbol=symbol,
            tier=named,
            cadence_s=current.configuration.cadence_s(named),
            configured=symbol in configured,
        )
        for symbol, named in found[:limit]
    ]
    more = len(found) > limit
    return UniverseList(
        version=current.version, items=items, next_cursor=items[-1].symbol if more else None
    )
