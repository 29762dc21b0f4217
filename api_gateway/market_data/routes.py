import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from api_gateway.dependencies import Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.errors import Refused
from api_gateway.market_data.schemas import (
    CandlePage,
    FeedList,
    IndicatorList,
    IndicatorPage,
    InstrumentView,
)
from api_gateway.paging import Page
from api_gateway.upstream import QueryValue
from api_gateway.values import MarketTime, Name, Phrase, Symbol, UtcTime
from shared.models.identifiers import Timeframe

router = APIRouter(tags=["market data"])

_READ = problems(401, 404, 422, 502, 503)

#: The engine's own cursor; it checks what it means.
EngineCursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._:=/-]{1,200}$")]
Start = Annotated[
    MarketTime | None, Query(description="First moment; the last candles when absent.")
]
End = Annotated[MarketTime | None, Query(description="Exclusive.")]
CandleLimit = Annotated[int, Query(ge=1, le=10_000)]
PathSymbol = Annotated[Symbol, Path(examples=["SPY"])]

_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MOST_PARAMETERS = 16


@router.get(
    "/instruments",
    response_model=Page[InstrumentView],
    operation_id="listInstruments",
    summary="Search the catalogue by symbol or name",
    responses=_READ,
)
async def list_instruments(
    _: Caller,
    gateway: GatewayState,
    query: Annotated[Phrase, Query(max_length=64)] = "",
    cursor: EngineCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.market_data.get(
        "/internal/instruments", {"query": query, "cursor": cursor, "limit": limit}
    )


@router.get(
    "/instruments/{symbol:path}",
    response_model=InstrumentView,
    operation_id="getInstrument",
    summary="One instrument",
    responses=_READ,
)
async def get_instrument(_: Caller, symbol: PathSymbol, gateway: GatewayState) -> Response:
    return await gateway.market_data.get(f"/internal/instruments/{quote(symbol, safe='')}")


@router.get(
    "/candles/{symbol:path}",
    response_model=CandlePage,
    operation_id="listCandles",
    summary="Candles, oldest first; the forming one last with `complete: false`",
    responses=_READ,
)
async def list_candles(
    _: Caller,
    symbol: PathSymbol,
    gateway: GatewayState,
    timeframe: Timeframe = "1m",
    start: Start = None,
    end: End = None,
    cursor: EngineCursor = None,
    limit: CandleLimit = 500,
) -> Response:
    return await gateway.market_data.get(
        f"/internal/candles/{quote(symbol, safe='')}",
        _range(timeframe, start, end, cursor, limit),
    )


@router.get(
    "/feeds",
    response_model=FeedList,
    operation_id="listFeeds",
    summary="The live feeds that the platform is set up to follow, and how they are",
    responses=problems(401, 502, 503),
)
async def list_feeds(_: Caller, gateway: GatewayState) -> Response:
    return await gateway.market_data.get("/internal/feeds")


@router.get(
    "/indicators",
    response_model=IndicatorList,
    operation_id="listIndicators",
    summary="The indicators, with the JSON schemas of their parameters",
    responses=problems(401, 502, 503),
)
async def list_indicators(_: Caller, gateway: GatewayState) -> Response:
    return await gateway.market_data.get("/internal/indicators")


@router.get(
    "/indicators/{name}/{symbol:path}",
    response_model=IndicatorPage,
    operation_id="listIndicatorValues",
    summary="An indicator over a symbol's candles, oldest first",
    description="Parameters of the indicator, such as `period`, go into the query as well.",
    responses=_READ,
    openapi_extra={
        "parameters": [
            {
                "name": "parameters",
                "in": "query",
                "style": "form",
                "explode": True,
                "schema": {
                    "type": "object",
                    "properties": {"period": {"type": "integer", "minimum": 1}},
                    "additionalProperties": {"type": "number"},
                },
            }
        ]
    },
)
async def list_indicator_values(
    _: Caller,
    name: Name,
    symbol: PathSymbol,
    request: Request,
    gateway: GatewayState,
    timeframe: Timeframe = "1m",
    start: Start = None,
    end: End = None,
    cursor: EngineCursor = None,
    limit: CandleLimit = 500,
) -> Response:
    own = _range(timeframe, start, end, cursor, limit)
    return await gateway.market_data.get(
        f"/internal/indicators/{quote(name, safe='')}/{quote(symbol, safe='')}",
        {**_parameters(request, set(own)), **own},
    )


def _range(
    timeframe: str, start: UtcTime | None, end: UtcTime | None, cursor: str | None, limit: int
) -> dict[str, QueryValue | None]:
    return {
        "timeframe": timeframe,
        "start": None if start is None else start.isoformat(),
        "end": None if end is None else end.isoformat(),
        "cursor": cursor,
        "limit": limit,
    }


def _parameters(request: Request, own: set[str]) -> dict[str, QueryValue | None]:
    """What the query has besides our own: the engine checks it against the indicator's schema."""
    given = {name: text for name, text in request.query_params.items() if name not in own}
    if len(given) > _MOST_PARAMETERS:
        raise Refused("invalid_parameters", "These are more parameters than any indicator has.")
    for name, text in given.items():
        if not _PARAMETER_NAME.fullmatch(name) or len(text) > 64 or not text.isprintable():
            raise Refused(
                "invalid_parameters", "Parameters of an indicator are lower-case names and numbers."
            )
    return {**given}
