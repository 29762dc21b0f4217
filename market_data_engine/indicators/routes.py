"""HTTP edge of indicators."""

import asyncio

from fastapi import APIRouter, Request, Response

from market_data_engine.history.actions import History
from market_data_engine.history.routes import (
    Cursor,
    Limit,
    Moment,
    TimeframeText,
    answered,
    json_response,
    known_symbol,
    parsed_timeframe,
    wanted_page,
)
from market_data_engine.indicators.actions import (
    CalendarOf,
    catalogue,
    values,
    wanted_calculation,
)
from market_data_engine.indicators.calculations import UnknownIndicatorError
from market_data_engine.indicators.schemas import IndicatorPage
from shared.candles.errors import OutsideCalendarError
from shared.service.problems import Problem

#: What the query has besides them are the indicator's parameters.
_OUR_PARAMETERS = frozenset({"timeframe", "start", "end", "limit", "cursor"})


def indicator_routes(history: History, calendar_of: CalendarOf) -> APIRouter:
    router = APIRouter(prefix="/internal/indicators")

    @router.get("")
    async def indicators() -> Response:
        return json_response(await asyncio.to_thread(catalogue))

    @router.get("/{name}/{symbol:path}")
    async def calculate(
        name: str,
        symbol: str,
        request: Request,
        timeframe: TimeframeText = "1m",
        start: Moment = None,
        end: Moment = None,
        limit: Limit = 500,
        cursor: Cursor = None,
    ) -> Response:
        parameters = {
            key: text for key, text in request.query_params.items() if key not in _OUR_PARAMETERS
        }
        try:
            wanted = await asyncio.to_thread(wanted_calculation, name, parameters)
        except UnknownIndicatorError as error:
            raise Problem(404, "unknown_indicator", str(error)) from None
        except ValueError as error:
            raise Problem(422, "invalid_parameters", str(error)) from None
        known = await known_symbol(history, symbol)
        parsed = parsed_timeframe(timeframe)
        page = await wanted_page(history, known, parsed, start, end, limit, cursor)
        try:
            points = await answered(values(history, calendar_of, known, parsed, page, wanted))
        except OutsideCalendarError as error:
            raise Problem(422, "outside_calendar", f"{known}: {error}.") from None
        return json_response(IndicatorPage(wanted.name, known, parsed, points, page.next_cursor))

    return router
