"""Parameters of indicators: their bounds, as JSON Schema and as a check."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

MAX_PERIOD: Final = 10_000


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    title: str
    description: str
    default: int | float
    least: int | float
    most: int | float
    whole: bool = True

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12)."""
        return {
            "type": "integer" if self.whole else "number",
            "title": self.title,
            "description": self.description,
            "minimum": self.least,
            "maximum": self.most,
            "default": self.default,
        }

    def checked(self, value: object) -> int | float:
        """ValueError for what the schema doesn't allow."""
        kinds = int if self.whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not isfinite(value):
            kind = "a whole number" if self.whole else "a number"
            raise ValueError(f"{self.name} must be {kind}, not {value!r}")
        if not self.least <= value <= self.most:
            raise ValueError(f"{self.name} must be from {self.least} to {self.most}, not {value}")
        return value if self.whole else float(value)


def parameters_schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """JSON Schema (2020-12) of all of them."""
    return {
        "type": "object",
        "properties": {one.name: one.schema() for one in parameters},
        "additionalProperties": False,
    }


def period(
    default: int,
    least: int = 1,
    name: str = "period",
    description: str = "Number of candles",
    most: int = MAX_PERIOD,
) -> Parameter:
    title = name.replace("_", " ").capitalize()
    return Parameter(name, title, description, default, least, most)


def multiple(name: str, default: float, description: str) -> Parameter:
    title = name.replace("_", " ").capitalize()
    return Parameter(name, title, description, default, 0.01, 100.0, whole=False)
