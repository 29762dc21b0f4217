"""HTTP edge of symbol mappings."""

import asyncio
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response

from market_data_engine.csv_rows import TableError
from market_data_engine.errors import Refused
from market_data_engine.mappings.actions import Mappings
from market_data_engine.mappings.schemas import (
    MappingList,
    MissingMappingList,
    SetLoaded,
    Uploaded,
)
from shared.service.problems import Problem, not_found

T = TypeVar("T")

Party = Annotated[str | None, Query(pattern=r"^[a-z0-9_-]{1,32}$")]
By = Annotated[str, Query(min_length=1, max_length=200)]
Cursor = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def mapping_routes(mappings: Mappings) -> APIRouter:
    router = APIRouter(prefix="/internal/market-data/mappings")

    @router.get("", response_model=MappingList)
    def page(
        party: Party = None,
        query: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
        cursor: Cursor = None,
        limit: Limit = 100,
        layout: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> MappingList | Response:
        if layout == "csv":
            return Response(mappings.table(party, query), media_type="text/csv")
        return _done(mappings.page(party, query, cursor, limit))

    @router.put("")
    async def upload(request: Request, requested_by: By) -> Uploaded:
        content = await request.body()
        try:
            return await asyncio.to_thread(mappings.upload, content, requested_by)
        except TableError as error:
            rows = [{"field": "file", "message": fault} for fault in error.faults]
            raise Problem(422, "invalid_mappings", str(error), errors=rows) from None

    @router.get("/missing")
    def missing(
        party: Party = None, cursor: Cursor = None, limit: Limit = 100
    ) -> MissingMappingList:
        return _done(mappings.missing(party, cursor, limit))

    @router.post("/sets/{name}")
    def load(name: str, requested_by: By) -> SetLoaded:
        loaded = mappings.load(name, requested_by)
        if loaded is None:
            raise not_found("set")
        return loaded

    @router.delete("/{party}/{symbol:path}", status_code=204)
    def remove(party: str, symbol: str) -> None:
        if "\0" in party + symbol or not mappings.remove(party, symbol):
            raise not_found("mapping")

    return router


def _done(outcome: T | Refused) -> T:
    if isinstance(outcome, Refused):
        raise Problem(422, outcome.code, outcome.message)
    return outcome
