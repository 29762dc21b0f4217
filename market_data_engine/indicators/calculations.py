"""One answer's calculation: by our incremental indicators, or by TA-Lib over the history. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.candles.calendar import SessionCalendar
from shared.indicators.catalogue import CATALOGUE, Entry
from shared.indicators.library import LibraryFunction, library
from shared.indicators.volume import VWAP
from shared.models.market import Candle

#: One number for each output; a number is None where TA-Lib has none.
Result = Sequence[float | None]


class UnknownIndicatorError(ValueError):
    pass


class Calculation(Protocol):
    name: str
    outputs: tuple[str, ...]
    #: As of `Indicator`.
    memory: int
    follows_sessions: bool

    def over(
        self, candles: Sequence[Candle], forming: Candle | None, calendar: SessionCalendar | None
    ) -> list[Result | None]:
        """A result for each candle, oldest first, the forming one's last."""


class Incremental:
    """ValueError for parameters it doesn't allow."""

    def __init__(self, entry: Entry, params: Mapping[str, object]) -> None:
        self._entry = entry
        self._params = params
        self.name = entry.name
        self.outputs = entry.outputs
        self.memory = entry.create(params).memory
        self.follows_sessions = entry.kind is VWAP

    def over(
        self, candles: Sequence[Candle], forming: Candle | None, calendar: SessionCalendar | None
    ) -> list[Result | None]:
        indicator = self._entry.create(self._params, calendar)
        whole = indicator.takes == "candle"
        results = [indicator.update(one if whole else one.close) for one in candles]
        if forming is not None:
            results.append(indicator.peek(forming if whole else forming.close))
        return [_as_tuple(result) for result in results]


class OverHistory:
    """ValueError for parameters it doesn't allow."""

    def __init__(self, function: LibraryFunction, params: Mapping[str, object]) -> None:
        self._function = function
        self._params = params
        self.name = function.name
        self.outputs = function.outputs
        self.memory = function.memory(params)
        self.follows_sessions = False

    def over(
        self,
        candles: Sequence[Candle],
        forming: Candle | None,
        calendar: SessionCalendar | None,  # noqa: ARG002
    ) -> list[Result | None]:
        every = candles if forming is None else [*candles, forming]
        return [*self._function.calculate(every, self._params)]


def calculation(name: str, params: Mapping[str, object]) -> Calculation:
    """UnknownIndicatorError; ValueError for bad parameters. May load TA-Lib."""
    upper = name.upper()
    if upper in CATALOGUE:
        return Incremental(CATALOGUE[upper], params)
    function = library().get(upper)
    if function is None:
        raise UnknownIndicatorError(
            f"unknown indicator {name!r}; the catalogue has {', '.join(CATALOGUE)}"
            " and the functions of TA-Lib"
        )
    return OverHistory(function, params)


def _as_tuple(result: Any) -> Result | None:
    return result if result is None or isinstance(result, tuple) else (result,)
