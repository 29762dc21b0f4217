"""Typed, bounded parameters of a strategy: read as plain values, described as JSON schema."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Protocol, Self, TypeVar, overload

from shared.models.identifiers import TIMEFRAMES, Timeframe

T = TypeVar("T")


class HasParameters(Protocol):
    """Whatever carries parameter values by name: a strategy."""

    @property
    def parameters(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    message: str


class InvalidParametersError(Exception):
    """The caller's fault: one error per field that is wrong."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class ParameterError(Exception):
    """Raised by `Strategy.check_parameters` for values that don't go together."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Parameter(ABC, Generic[T]):
    """A descriptor: on a strategy it reads as its value, on the class as itself."""

    def __init__(self, default: T, description: str) -> None:
        self.name = ""
        self.default = default
        self.description = description

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: HasParameters, owner: type) -> T: ...
    def __get__(self, instance: HasParameters | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = instance.parameters[self.name]
        return value

    def __set__(self, instance: HasParameters, value: T) -> None:
        raise AttributeError(f"the parameter {self.name} can't be assigned to")

    @abstractmethod
    def parse(self, value: object) -> T:
        """The value that `value` (decoded JSON) means; raises ValueError with a sentence."""

    def encode(self, value: T) -> object:
        """As JSON; `parse` gives the same value back."""
        return value

    @abstractmethod
    def _constraints(self) -> dict[str, object]:
        """The schema's type and bounds."""

    def schema(self) -> dict[str, object]:
        schema = {**self._constraints(), "default": _plain(self.default)}
        return {**schema, "description": self.description} if self.description else schema


class IntParameter(Parameter[int]):
    """A whole number from `low` to `high`, both included; with a step, one of its multiples."""

    def __init__(
        self,
        default: int,
        *,
        low: int,
        high: int,
        step: int = 1,
        help: str = "",  # noqa: A002
    ) -> None:
        super().__init__(default, help)
        self.low = low
        self.high = high
        self.step = step
        _check_step(step, low, high)
        self.parse(default)

    def parse(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {self.low} to {self.high}")
        if value % self.step:
            raise ValueError(f"must be a multiple of {self.step}")
        return value

    def _constraints(self) -> dict[str, object]:
        bounds: dict[str, object] = {
            "type": "integer",
            "minimum": self.low,
            "maximum": self.high,
        }
        return bounds if self.step == 1 else {**bounds, "multipleOf": self.step}


class DecimalParameter(Parameter[Decimal]):
    """An exact number from `low` to `high`, both included; with a step, one of its multiples. JSON
    numbers and strings are taken."""

    def __init__(
        self,
        default: Decimal | int | str,
        *,
        low: Decimal | int | str,
        high: Decimal | int | str,
        step: Decimal | int | str | None = None,
        help: str = "",  # noqa: A002
    ) -> None:
        super().__init__(Decimal(default), help)
        self.low = Decimal(low)
        self.high = Decimal(high)
        self.step = None if step is None else Decimal(step)
        if self.step is not None:
            _check_step(self.step, self.low, self.high)
        self.parse(self.default)

    def parse(self, value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise ValueError("must be a number")
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ValueError("must be a number") from None
        if not number.is_finite():
            raise ValueError("must be a finite number")
        if not self.low <= number <= self.high:
            raise ValueError(f"must be from {self.low} to {self.high}")
        if self.step is not None and number % self.step:
            raise ValueError(f"must be a multiple of {self.step}")
        return number

    def encode(self, value: Decimal) -> str:
        return str(value)

    def _constraints(self) -> dict[str, object]:
        bounds: dict[str, object] = {
            "type": "number",
            "minimum": _plain(self.low),
            "maximum": _plain(self.high),
        }
        return bounds if self.step is None else {**bounds, "multipleOf": _plain(self.step)}


class CategoricalParameter(Parameter[str]):
    """One of a few words."""

    def __init__(self, default: str, *, choices: Sequence[str], help: str = "") -> None:  # noqa: A002
        super().__init__(default, help)
        self.choices = tuple(choices)
        self.parse(default)

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return value

    def _constraints(self) -> dict[str, object]:
        return {"type": "string", "enum": list(self.choices)}


class TimeframeParameter(Parameter[Timeframe]):
    """A timeframe that the strategy hears besides the deployment's own."""

    def __init__(self, default: Timeframe, *, help: str = "") -> None:  # noqa: A002
        super().__init__(default, help)
        self.parse(default)

    def parse(self, value: object) -> Timeframe:
        if value not in TIMEFRAMES:
            raise ValueError(f"must be one of {', '.join(TIMEFRAMES)}")
        return value

    def _constraints(self) -> dict[str, object]:
        return {"type": "string", "enum": list(TIMEFRAMES)}


class BooleanParameter(Parameter[bool]):
    """Yes or no."""

    def __init__(self, default: bool, *, help: str = "") -> None:  # noqa: A002
        super().__init__(default, help)

    def parse(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value

    def _constraints(self) -> dict[str, object]:
        return {"type": "boolean"}


def _check_step(step: Decimal | int, low: Decimal | int, high: Decimal | int) -> None:
    """Raises ValueError."""
    if not step > 0 or low % step or high % step:
        raise ValueError(f"{low} and {high} must be multiples of the step {step}, above zero")


def _plain(value: object) -> object:
    """A JSON number for a decimal: schemas and forms compare numbers, not strings."""
    if not isinstance(value, Decimal):
        return value
    as_float = float(value)
    return int(as_float) if as_float.is_integer() and math.isfinite(as_float) else as_float
