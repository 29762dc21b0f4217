"""Indicators over stored candles."""

from collections.abc import Mapping

from market_data_engine.history.actions import History, Page
from market_data_engine.history.schemas import moment
from market_data_engine.indicators.schemas import IndicatorItem, IndicatorList, IndicatorPoint
from shared.indicators.catalogue import CATALOGUE, find
from shared.indicators.indicator import Indicator
from shared.models.identifiers import Symbol, Timeframe

#: An exponential average of n values has forgotten where it began, to nine digits, after 10 n.
_FORGETS_AFTER = 10


class UnknownIndicatorError(ValueError):
    pass


def catalogue() -> IndicatorList:
    return IndicatorList(
        [
            IndicatorItem(entry.name, entry.title, entry.schema(), list(entry.outputs))
            for entry in CATALOGUE.values()
        ]
    )


def indicator(name: str, parameters: Mapping[str, str]) -> tuple[str, Indicator]:
    """Its proper name, and a new one. UnknownIndicatorError; ValueError for bad parameters."""
    try:
        entry = find(name)
    except ValueError as error:
        raise UnknownIndicatorError(str(error)) from None
    return entry.name, entry.create({key: _number(text) for key, text in parameters.items()})


def _number(text: str) -> object:
    """Of a query: what is no whole number stays text, which the indicator refuses by name."""
    plain = text.removeprefix("-")
    return int(text) if plain.isascii() and plain.isdigit() and len(plain) <= 9 else text


async def values(
    history: History, symbol: Symbol, timeframe: Timeframe, page: Page, wanted: Indicator
) -> list[IndicatorPoint]:
    """A value for each candle of the page, from the candles before it on."""
    first = page.candles[0] if page.candles else page.forming
    if first is None:
        return []
    count = wanted.warm_up * _FORGETS_AFTER
    for earlier in await history.before(symbol, timeframe, first.start_ns, count):
        wanted.update(earlier.close)
    points = [
        IndicatorPoint(moment(candle.start_ns), wanted.update(candle.close), complete=True)
        for candle in page.candles
    ]
    if page.forming is not None:
        value = wanted.peek(page.forming.close)
        points.append(IndicatorPoint(moment(page.forming.start_ns), value, complete=False))
    return points
