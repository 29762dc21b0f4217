"""How the parts of an indicator's state are written down, and checked when they come back."""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from shared.indicators.checks import checked_count, checked_number


class Field(ABC):
    @abstractmethod
    def dump(self, its: Any) -> Any:
        """In plain numbers, lists and dicts."""

    @abstractmethod
    def load(self, name: str, stored: object, its: Any) -> Any:
        """From what `dump` gave; `its` is the present one and stays as it is. ValueError."""


class Number(Field):
    def dump(self, its: Any) -> Any:
        return its

    def load(self, name: str, stored: object, its: Any) -> float:  # noqa: ARG002
        return checked_number(name, stored)


class OptionalNumber(Field):
    def dump(self, its: Any) -> Any:
        return its

    def load(self, name: str, stored: object, its: Any) -> float | None:  # noqa: ARG002
        return None if stored is None else checked_number(name, stored)


class Count(Field):
    def dump(self, its: Any) -> Any:
        return its

    def load(self, name: str, stored: object, its: Any) -> int:  # noqa: ARG002
        return checked_count(name, stored)


class Numbers(Field):
    """A list or a bounded deque of numbers."""

    def dump(self, its: Any) -> Any:
        return list(its)

    def load(self, name: str, stored: object, its: Any) -> Any:
        if not isinstance(stored, list):
            raise ValueError(f"{name} must be a list of numbers, not {stored!r}")
        values = [checked_number(f"each of {name}", one) for one in stored]
        if not isinstance(its, deque):
            return values
        if its.maxlen is not None and len(values) > its.maxlen:
            raise ValueError(f"{name} are {its.maxlen} at most, not {len(values)}")
        return deque(values, its.maxlen)


class Part(Field):
    """An indicator inside another."""

    def dump(self, its: Any) -> Any:
        return its.state()

    def load(self, name: str, stored: object, its: Any) -> Any:
        twin = its.twin()
        try:
            twin.restore(stored)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return twin
