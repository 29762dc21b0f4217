"""For admins alone: what symbols are called at brokers and providers."""

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.mapping_schemas import (
    MappingSetLoaded,
    MappingsUploaded,
    MappingView,
    MissingMappingView,
)
from api_gateway.market_data.routes import EngineCursor
from api_gateway.paging import Page
from api_gateway.values import Phrase, Symbol

router = APIRouter(prefix="/admin/market-data/mappings", tags=["admin"])

_BEHIND = "/internal/market-data/mappings"
_READ = problems(401, 403, 422, 502, 503)
_PARTY = r"^[a-z0-9_-]{1,32}$"

Party = Annotated[str | None, Query(pattern=_PARTY, examples=["yahoo"])]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get(
    "",
    response_model=Page[MappingView],
    operation_id="listSymbolMappings",
    summary="What symbols are called at brokers and providers (admin)",
    description="By symbol; `query` is the beginning of a symbol or of a name there. With "
    "`format=csv` all that match, in the layout that can be uploaded.",
    responses=_READ,
)
async def list_mappings(
    _: Admin,
    gateway: GatewayState,
    party: Party = None,
    query: Annotated[Phrase, Query(max_length=64)] = "",
    cursor: EngineCursor = None,
    limit: Limit = 100,
    layout: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    asked = {"party": party, "query": query, "cursor": cursor, "limit": limit, "format": layout}
    return await gateway.market_data.get(_BEHIND, asked)


@router.put(
    "",
    response_model=MappingsUploaded,
    operation_id="uploadSymbolMappings",
    summary="Add or change mappings by a table (admin)",
    description="CSV with the columns party, symbol and token, and if it has them exchange, kind, "
    "lot_size and tick_size. It is checked row by row; when anything is wrong nothing is stored, "
    "and `errors` tells the first 50 rows. Mappings that it doesn't name stay.",
    responses=problems(400, 401, 403, 413, 422, 502, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "party,symbol,token,exchange,kind,lot_size,tick_size\n"
                    "yahoo,RELIANCE.NSE,RELIANCE.NS,NSI,equity,1,0.05\n",
                }
            },
        }
    },
)
async def upload_mappings(caller: Admin, request: Request, gateway: GatewayState) -> Response:
    return await gateway.market_data.put_stream(
        _BEHIND,
        request,
        gateway.settings.upload_timeout_s,
        {"requested_by": f"user:{caller.user_id}"},
    )


@router.get(
    "/missing",
    response_model=Page[MissingMappingView],
    operation_id="listMissingSymbolMappings",
    summary="Names that were needed and aren't known (admin)",
    responses=_READ,
)
async def list_missing(
    _: Admin,
    gateway: GatewayState,
    party: Party = None,
    cursor: EngineCursor = None,
    limit: Limit = 100,
) -> Response:
    return await gateway.market_data.get(
        f"{_BEHIND}/missing", {"party": party, "cursor": cursor, "limit": limit}
    )


@router.post(
    "/sets/{name}",
    response_model=MappingSetLoaded,
    operation_id="loadSymbolSet",
    summary="Load a set of instruments and their mappings (admin)",
    description="What is described or mapped already stays as it is, so again it changes nothing.",
    responses=problems(401, 403, 404, 422, 502, 503),
)
async def load_set(
    caller: Admin, name: Literal["us-equities", "nse"], gateway: GatewayState
) -> Response:
    return await gateway.market_data.post(
        f"{_BEHIND}/sets/{name}", query={"requested_by": f"user:{caller.user_id}"}
    )


@router.delete(
    "/{party}/{symbol:path}",
    status_code=204,
    response_class=Response,
    operation_id="removeSymbolMapping",
    summary="Remove one mapping (admin)",
    responses=problems(401, 403, 404, 422, 502, 503),
)
async def remove_mapping(
    _: Admin,
    party: Annotated[str, Path(pattern=_PARTY, examples=["yahoo"])],
    symbol: Annotated[Symbol, Path(examples=["RELIANCE.NSE"])],
    gateway: GatewayState,
) -> Response:
    return await gateway.market_data.delete(f"{_BEHIND}/{party}/{quote(symbol, safe='')}", {})
