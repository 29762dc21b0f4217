"""Candles from files, and what is stored. Everyone may look, admins may import."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from api_gateway.dependencies import Admin, Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.schemas import CandleSeriesView, ImportedFileView
from api_gateway.paging import Page
from api_gateway.values import Name, Symbol
from shared.models.identifiers import Timeframe

router = APIRouter(tags=["market data"])


@router.put(
    "/candle-files/{name}",
    response_model=ImportedFileView,
    operation_id="importCandles",
    summary="Store the candles of a file (admins)",
    description="CSV, gzipped or not, or Parquet when its name ends so, with the columns timestamp "
    "(or start), open, high, low, close, volume, and if it has them symbol, vwap and trades. It is "
    "checked row by row; when anything is wrong nothing is stored, and `errors` tells the first 20 "
    "rows. Candles that are there already are replaced, so importing it again changes nothing.",
    responses=problems(400, 401, 403, 404, 413, 422, 502, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def import_candles(
    _: Admin,
    name: Annotated[Name, Path(examples=["SPY.2013.csv.gz"])],
    request: Request,
    gateway: GatewayState,
    timeframe: Timeframe,
    exchange: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Z0-9/]{1,16}$",
            description="Of symbols that nobody has described yet: a MIC, or 24/7.",
            examples=["XNYS"],
        ),
    ] = None,
) -> Response:
    return await gateway.market_data.put_stream(
        f"/internal/candle-files/{quote(name, safe='')}",
        request,
        gateway.settings.upload_timeout_s,
        {"timeframe": timeframe, "exchange": exchange},
    )


@router.get(
    "/candle-series",
    response_model=Page[CandleSeriesView],
    operation_id="listCandleSeries",
    summary="Which candles are stored: of each symbol and timeframe how many, from when to when",
    responses=problems(401, 422, 502, 503),
)
async def list_candle_series(
    _: Caller, gateway: GatewayState, symbol: Annotated[Symbol | None, Query()] = None
) -> Response:
    return await gateway.market_data.get("/internal/candle-series", {"symbol": symbol})
