"""The combinations that a study may try: a finite list of values for each parameter."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import Any

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.sdk import InvalidParametersError, Strategy
from strategy_workers.sdk.parameters import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    Parameter,
)

_MOST_VALUES = 100_000
#: As many combinations are listed; larger spaces are drawn from.
_MOST_LISTED = 100_000

Point = dict[str, Any]


@dataclass(frozen=True)
class Dimension:
    name: str
    #: As JSON, encoded as the strategy does; distinct.
    values: tuple[Any, ...]
    #: Neighbours are alike: numbers, ascending.
    ordered: bool


@dataclass(frozen=True)
class Space:
    strategy: type[Strategy]
    dimensions: tuple[Dimension, ...]
    #: Of the parameters that stay as they are.
    fixed: dict[str, Any]

    @property
    def size(self) -> int:
        """Combinations, those that the strategy refuses included."""
        return prod(len(one.values) for one in self.dimensions)

    def point(self, places: Sequence[int]) -> Point:
        pairs = zip(self.dimensions, places, strict=True)
        return {one.name: one.values[place] for one, place in pairs}

    def is_valid(self, point: Point) -> bool:
        """Do the values go together?"""
        try:
            self.strategy.parse_parameters({**self.fixed, **point})
        except InvalidParametersError:
            return False
        return True

    def all(self) -> list[Point]:
        """Those that are valid; the last parameter changes fastest. For spaces of modest size."""
        places = product(*(range(len(one.values)) for one in self.dimensions))
        return [point for point in map(self.point, places) if self.is_valid(point)]

    def shuffled(self, seed: int) -> Iterator[Point]:
        """Valid ones, none twice, in an order that the seed decides.

        All of them in a space of modest size; in a larger one it ends when new ones get rare.
        """
        numbers = random.Random(seed)  # noqa: S311
        if self.size <= _MOST_LISTED:
            points = self.all()
            numbers.shuffle(points)
            yield from points
            return
        seen: set[tuple[int, ...]] = set()
        misses = 0
        while misses < 10_000:
            places = tuple(numbers.randrange(len(one.values)) for one in self.dimensions)
            if places in seen or not self.is_valid(point := self.point(places)):
                misses += 1
                continue
            misses = 0
            seen.add(places)
            yield point

    def as_json(self) -> list[dict[str, Any]]:
        return [{"name": one.name, "values": list(one.values)} for one in self.dimensions]


def parse_space(strategy: type[Strategy], texts: Sequence[str], fixed: dict[str, Any]) -> Space:
    """Of `name=low:high:step`, `name=a,b,c`, or `name` for all that is declared.

    Raises BadBacktestError.
    """
    for name, value in fixed.items():
        try:
            _declared(strategy, name).parse(value)
        except ValueError as error:
            raise BadBacktestError(f"{name}={value}: {error}") from error
    dimensions: dict[str, Dimension] = {}
    for text in texts:
        name, equals, ranges = (part.strip() for part in text.partition("="))
        parameter = _declared(strategy, name)
        if name in dimensions or name in fixed:
            raise BadBacktestError(f"{name} is given twice")
        dimensions[name] = _dimension(name, parameter, ranges if equals else None)
    if not dimensions:
        raise BadBacktestError("give at least one range, such as --space fast=5:50:5")
    return Space(strategy, tuple(dimensions.values()), fixed)


def _declared(strategy: type[Strategy], name: str) -> Parameter[Any]:
    declared = strategy.declared_parameters()
    if name not in declared:
        names = ", ".join(declared)
        raise BadBacktestError(f"{strategy.name} has no parameter {name}; there are {names}")
    return declared[name]


def _dimension(name: str, parameter: Parameter[Any], text: str | None) -> Dimension:
    ordered = isinstance(parameter, IntParameter | DecimalParameter)
    if text is None:
        raw = _all_values(name, parameter)
    elif ":" in text and ordered:
        raw = _steps(name, text, whole=isinstance(parameter, IntParameter))
    else:
        raw = [_read(parameter, part.strip()) for part in text.split(",")]
    values = []
    for one in raw:
        try:
            values.append(parameter.parse(one))
        except ValueError as error:
            raise BadBacktestError(f"{name}={one}: {error}") from error
    if len(set(values)) < len(values):
        raise BadBacktestError(f"{name} has a value twice in {text}")
    if ordered:
        values.sort()
    return Dimension(name, tuple(parameter.encode(one) for one in values), ordered)


def _all_values(name: str, parameter: Parameter[Any]) -> list[Any]:
    if isinstance(parameter, IntParameter):
        return list(range(parameter.low, parameter.high + 1, parameter.step))
    if isinstance(parameter, DecimalParameter) and parameter.step is not None:
        return _steps(name, f"{parameter.low}:{parameter.high}:{parameter.step}", whole=False)
    if isinstance(parameter, CategoricalParameter):
        return list(parameter.choices)
    if isinstance(parameter, BooleanParameter):
        return [False, True]
    raise BadBacktestError(f"{name} needs a range with a step, such as {name}=1:10:0.5")


def _read(parameter: Parameter[Any], text: str) -> Any:
    if isinstance(parameter, BooleanParameter):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(parameter, IntParameter):
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _steps(name: str, text: str, *, whole: bool) -> list[Any]:
    parts = text.split(":")
    try:
        low, high, *rest = (Decimal(part) for part in parts)
    except (InvalidOperation, ValueError):
        raise BadBacktestError(f"{name}={text}: a range looks like 5:50:5") from None
    if len(rest) > 1 or not all(number.is_finite() for number in (low, high, *rest)):
        raise BadBacktestError(f"{name}={text}: a range looks like 5:50:5")
    if not rest and not whole:
        raise BadBacktestError(f"{name} needs a step, such as {name}={text}:0.5")
    step = rest[0] if rest else Decimal(1)
    if step <= 0 or high < low:
        raise BadBacktestError(f"{name}={text}: a range goes up, by steps above zero")
    count = int((high - low) / step) + 1
    if count > _MOST_VALUES:
        raise BadBacktestError(f"{name}={text} has {count} values, and {_MOST_VALUES} are the most")
    values = [low + n * step for n in range(count)]
    if whole and any(value != int(value) for value in values):
        raise BadBacktestError(f"{name}={text}: {name} takes whole numbers")
    return [int(value) for value in values] if whole else values
