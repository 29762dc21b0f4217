"""HTTP edge of the instrument catalogue."""

from typing import Annotated

from fastapi import APIRouter, Query

from market_data_engine.instruments.actions import Instruments
from market_data_engine.instruments.schemas import Instrument, InstrumentList
from shared.service.problems import not_found


def _plain(text: str) -> str:
    # Postgres has no NUL in text, so nothing there can match one.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def instrument_routes(instruments: Instruments) -> APIRouter:
    router = APIRouter(prefix="/internal/instruments")

    @router.get("")
    def search(
        query: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str, Query(max_length=64)] = "",
    ) -> InstrumentList:
        return instruments.search(_plain(query), _plain(cursor), limit)

    @router.get("/{symbol:path}")
    def find(symbol: str) -> Instrument:
        instrument = instruments.find(_plain(symbol))
        if instrument is None:
            raise not_found("instrument")
        return instrument

    return router
