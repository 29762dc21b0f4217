"""TA-Lib's other functions, by name, over a whole history at once.

TA-Lib and numpy are loaded when the first of them is asked for: they cost time and memory, and
most processes never need them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

from shared.indicators.catalogue import CATALOGUE
from shared.indicators.indicator import NEVER
from shared.indicators.parameters import MAX_PERIOD, Parameter, parameters_schema
from shared.models.market import Candle

_COLUMNS = frozenset({"open", "high", "low", "close", "volume"})
#: For what isn't a number of candles, such as an acceleration; TA-Lib has bounds of its own.
_MOST = 1e6


@dataclass(frozen=True, slots=True)
class LibraryFunction:
    name: str
    title: str
    outputs: tuple[str, ...]
    #: What it reads of a candle.
    columns: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    #: It carries all it ever saw, such as a cumulative volume.
    path_dependent: bool

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the parameters. TA-Lib's own bounds may be narrower."""
        return parameters_schema(self.parameters)

    def checked(self, params: Mapping[str, object]) -> dict[str, int | float]:
        """All parameters; left out, they have their defaults. ValueError for what it refuses."""
        known = [one.name for one in self.parameters]
        unknown = sorted(set(params) - set(known))
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}; {has}")
        complete = {
            one.name: one.checked(params.get(one.name, one.default)) for one in self.parameters
        }
        if self._function(complete).lookback < 0:
            given = ", ".join(f"{name} {value}" for name, value in complete.items())
            raise ValueError(f"{self.name} refuses {given}: out of TA-Lib's bounds")
        return complete

    def warm_up(self, params: Mapping[str, object]) -> int:
        """How many candles it takes to the first result. ValueError as in `checked`."""
        return int(self._function(self.checked(params)).lookback) + 1

    def memory(self, params: Mapping[str, object]) -> int:
        """As of `Indicator`."""
        return NEVER if self.path_dependent else 10 * self.warm_up(params)

    def calculate(
        self, candles: Sequence[Candle], params: Mapping[str, object]
    ) -> list[tuple[float | None, ...] | None]:
        """One result for each candle, oldest first; None while warming up, ValueError as above.

        None in a result where the function has no value, such as the root of a negative number.
        """
        import numpy as np

        complete = self.checked(params)
        if not candles:
            return []
        function = self._function(complete)
        warm_up = int(function.lookback)
        if len(candles) <= warm_up:
            return [None] * len(candles)
        inputs = {
            column: np.array([getattr(one, column) for one in candles], dtype=float)
            for column in self.columns
        }
        result = function(inputs)
        lines = result if isinstance(result, list | tuple) else [result]
        rows = zip(*(line.tolist() for line in lines), strict=True)
        return [
            None
            if index < warm_up
            else tuple(float(value) if isfinite(value) else None for value in row)
            for index, row in enumerate(rows)
        ]

    def _function(self, params: Mapping[str, int | float]) -> Any:
        function = _talib_function(self.name)
        if params:
            function.parameters = dict(params)
        return function


@cache
def library() -> Mapping[str, LibraryFunction]:
    """All that the catalogue hasn't and that candles can feed, by name."""
    import talib

    names: list[str] = talib.get_functions()  # type: ignore[no-untyped-call]
    functions = [_described(name) for name in sorted(names) if name not in CATALOGUE]
    return {one.name: one for one in functions if {*one.columns} <= _COLUMNS}


def _talib_function(name: str) -> Any:
    from talib import abstract

    return abstract.Function(name)  # type: ignore[attr-defined]


def _described(name: str) -> LibraryFunction:
    info = _talib_function(name).info
    columns: list[str] = []
    for its in info["input_names"].values():
        columns += [its] if isinstance(its, str) else its
    return LibraryFunction(
        name=name,
        title=info["display_name"],
        outputs=tuple(info["output_names"]),
        columns=tuple(dict.fromkeys(columns)),
        parameters=tuple(_parameter(*one) for one in info["parameters"].items()),
        path_dependent=any("path-dependent" in flag for flag in info["function_flags"] or ()),
    )


def _parameter(name: str, default: int | float) -> Parameter:
    whole = isinstance(default, int)
    return Parameter(
        name=name,
        title=name,
        description="As TA-Lib names it",
        default=default,
        least=0 if whole else -_MOST,
        most=MAX_PERIOD if whole else _MOST,
        whole=whole,
    )
