"""A strategy class as data, and its parameters again from it. Pure."""

import re
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from strategy_workers.sandbox.frames import Manifest, ParameterShape
from strategy_workers.sandbox.source import BadSourceError
from strategy_workers.sdk import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    Strategy,
    TimeframeParameter,
)
from strategy_workers.sdk.parameters import Parameter

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_HOOKS = ("on_start", "on_candle", "on_timer", "on_moment", "on_order", "on_stop")


def manifest_of(strategy: type[Strategy]) -> Manifest:
    """Raises BadSourceError for a class that can't be a strategy of the platform."""
    check_name(strategy.name)
    hooks = [name for name in _HOOKS if getattr(strategy, name) is not getattr(Strategy, name)]
    if not set(hooks) - {"on_start", "on_stop"}:
        raise BadSourceError(
            f"{strategy.__name__} has no on_candle, on_moment, on_timer or on_order: "
            "it would never do anything."
        )
    return Manifest(
        name=strategy.name,
        title=str(strategy.title)[:200],
        description=str(strategy.description)[:2000],
        timeframes=list(strategy.timeframes),
        hooks=hooks,
        parameters=[_shape(one) for one in strategy.declared_parameters().values()],
    )


def check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadSourceError(
            "A strategy's name is 2 to 40 small letters, digits and underscores, and begins with "
            f"a letter: {str(name)[:60]!r} is none."
        )


def _shape(parameter: Parameter[Any]) -> ParameterShape:
    shape = ParameterShape(
        name=parameter.name,
        kind="boolean",
        default=parameter.encode(parameter.default),
        description=str(parameter.description)[:2000],
    )
    match parameter:
        case IntParameter(low=least, high=most, step=each):
            return replace(shape, kind="int", low=str(least), high=str(most), step=str(each))
        case DecimalParameter(low=lowest, high=highest, step=step):
            bounded = replace(shape, kind="decimal", low=str(lowest), high=str(highest))
            return bounded if step is None else replace(bounded, step=str(step))
        case CategoricalParameter(choices=choices):
            return replace(shape, kind="category", choices=list(choices))
        case TimeframeParameter():
            return replace(shape, kind="timeframe")
        case BooleanParameter():
            return shape
    raise BadSourceError(f"The parameter {parameter.name} is of a kind that is not the platform's.")


def parameter_of(shape: ParameterShape) -> Parameter[Any]:
    """Raises ValueError, TypeError or ArithmeticError when the shape contradicts itself."""
    low, high, text = shape.low or "0", shape.high or "0", shape.description
    match shape.kind:
        case "int":
            each = int(shape.step or "1")
            return IntParameter(shape.default, low=int(low), high=int(high), step=each, help=text)
        case "decimal":
            default = Decimal(str(shape.default))
            return DecimalParameter(default, low=low, high=high, step=shape.step, help=text)
        case "category":
            return CategoricalParameter(shape.default, choices=shape.choices, help=text)
        case "timeframe":
            return TimeframeParameter(shape.default, help=text)
        case "boolean":
            if not isinstance(shape.default, bool):
                raise TypeError("must be true or false")
            return BooleanParameter(default=shape.default, help=text)
