"""Indicators over stored candles."""

import asyncio
from collections.abc import Callable, Mapping

from market_data_engine.history.actions import History, Page
from market_data_engine.history.schemas import moment
from market_data_engine.indicators.calculations import Calculation, Result, calculation
from market_data_engine.indicators.schemas import IndicatorItem, IndicatorList, IndicatorPoint
from shared.candles.calendar import SessionCalendar
from shared.indicators.catalogue import CATALOGUE
from shared.indicators.indicator import NEVER
from shared.indicators.library import library
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

#: How far before the page a calculation begins at most, such as one that carries all it saw.
_MOST_EARLIER = 20_000

CalendarOf = Callable[[Symbol], SessionCalendar]


def catalogue() -> IndicatorList:
    """Ours first, then TA-Lib's. Loads TA-Lib."""
    ours = [
        IndicatorItem(
            name=entry.name,
            title=entry.title,
            parameters=entry.schema(),
            outputs=list(entry.outputs),
            inputs=list(entry.kind.columns),
            warm_up=entry.warm_up({}),
            incremental=True,
        )
        for entry in CATALOGUE.values()
    ]
    others = [
        IndicatorItem(
            name=function.name,
            title=function.title,
            parameters=function.schema(),
            outputs=list(function.outputs),
            inputs=list(function.columns),
            warm_up=function.warm_up({}),
            incremental=False,
        )
        for function in library().values()
    ]
    return IndicatorList([*ours, *others])


def wanted_calculation(name: str, parameters: Mapping[str, str]) -> Calculation:
    """From a query. UnknownIndicatorError; ValueError for bad parameters. May load TA-Lib."""
    return calculation(name, {key: _number(text) for key, text in parameters.items()})


def _number(text: str) -> object:
    """Of a query: what is no plain number stays text, which the indicator refuses by name."""
    whole, dot, fraction = text.removeprefix("-").partition(".")
    digits = whole + fraction
    if not (text.isascii() and digits.isdigit() and len(digits) <= 9):
        return text
    return float(text) if dot else int(text)


async def values(
    history: History,
    calendar_of: CalendarOf,
    symbol: Symbol,
    timeframe: Timeframe,
    page: Page,
    wanted: Calculation,
) -> list[IndicatorPoint]:
    """A point for each candle of the page, from the candles before it on.

    OutsideCalendarError where the indicator follows sessions that the calendar doesn't have.
    """
    candles = [one.candle for one in page.candles]
    first = candles[0] if candles else page.forming
    if first is None:
        return []
    count = _MOST_EARLIER if wanted.memory == NEVER else min(wanted.memory, _MOST_EARLIER)
    earlier = await history.before(symbol, timeframe, first.start_ns, count)

    def calculated() -> list[IndicatorPoint]:
        calendar = calendar_of(symbol) if wanted.follows_sessions else None
        results = wanted.over([*earlier, *candles], page.forming, calendar)[len(earlier) :]
        shown = [*candles, *([] if page.forming is None else [page.forming])]
        return [
            _point(wanted.outputs, candle, result, complete=candle is not page.forming)
            for candle, result in zip(shown, results, strict=True)
        ]

    # Long ones take a while, and the loop has a run to carry.
    return await asyncio.to_thread(calculated)


def _point(
    outputs: tuple[str, ...], candle: Candle, result: Result | None, *, complete: bool
) -> IndicatorPoint:
    numbers = result or [None] * len(outputs)
    return IndicatorPoint(
        at=moment(candle.start_ns),
        value=numbers[0],
        values=dict(zip(outputs, numbers, strict=True)),
        complete=complete,
    )
