"""HTTP edge of the quality of candles."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from market_data_engine.errors import Refused
from market_data_engine.history.routes import answered
from market_data_engine.providers.configuration import Tier
from market_data_engine.quality.actions import QualityDesk, Question
from market_data_engine.quality.schemas import QualityList, QualityTimeframe
from shared.service.problems import Problem


def quality_routes(desk: QualityDesk) -> APIRouter:
    router = APIRouter(prefix="/internal/market-data")

    @router.get("/quality")
    async def quality(
        timeframe: QualityTimeframe = "1m",
        symbol: Annotated[list[str] | None, Query(max_length=100)] = None,
        tier: Tier | None = None,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="to")] = None,
        below: Annotated[float | None, Query(ge=0, le=101)] = None,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> QualityList:
        asked = Question(timeframe, symbol, tier, first, last, below, cursor, limit)
        found = await answered(desk.page(asked))
        if isinstance(found, Refused):
            raise Problem(422, found.code, found.message)
        return found

    return router
