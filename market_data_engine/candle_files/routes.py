"""HTTP edge of imported candles."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from market_data_engine.candle_files.actions import CandleFiles
from market_data_engine.candle_files.schemas import ImportedFile, StoredSeriesList
from market_data_engine.history.routes import answered
from market_data_engine.instruments.actions import DEFAULT_EXCHANGE
from market_data_engine.market_files.receiving import FileTooLargeError
from market_data_engine.market_files.routes import check_name
from shared.calendars import UnknownExchangeError
from shared.market_files.errors import CandleFileError
from shared.models.identifiers import Timeframe
from shared.service.problems import Problem

#: Bodies below it are bounded by this feature, not by the application.
UPLOADS = "/internal/candle-files/"


def candle_file_routes(files: CandleFiles) -> APIRouter:
    router = APIRouter(prefix="/internal")

    @router.put("/candle-files/{name}")
    async def put(
        name: str,
        request: Request,
        timeframe: Timeframe,
        exchange: Annotated[str, Query(max_length=16)] = DEFAULT_EXCHANGE,
    ) -> ImportedFile:
        check_name(name)
        try:
            return await answered(files.put(name, request.stream(), timeframe, exchange))
        except FileTooLargeError as error:
            raise Problem(413, "body_too_large", str(error)) from None
        except CandleFileError as error:
            rows = [{"field": "file", "message": problem} for problem in error.problems]
            raise Problem(422, "invalid_candle_file", f"{error}.", errors=rows) from None
        except UnknownExchangeError as error:
            raise Problem(422, "unknown_exchange", str(error)) from None

    @router.get("/candle-series")
    async def series(
        symbol: Annotated[str | None, Query(max_length=32)] = None,
    ) -> StoredSeriesList:
        return StoredSeriesList(items=list(await answered(files.stored(symbol))))

    return router
