"""Highest and lowest value."""

from itertools import accumulate
from math import inf

from shared.indicators.checks import refuse_value
from shared.indicators.indicator import WindowIndicator
from shared.indicators.parameters import period


class Highest(WindowIndicator[float]):
    """The greatest of the latest `period` values; TA-Lib's MAX."""

    __slots__ = ("_head", "_tails")
    parameters = (period(30),)

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._head = -inf
        #: Extremes of what the window still has of the previous block, the next one last.
        self._tails: list[float] = []

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        if self._tails:
            return max(self._tails[-1], self._head, value)
        return max(self._head, value) if len(self._block) + 1 == self.period else None

    def update(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        head = self._head
        if value > head:
            self._head = head = value
        self._block.append(value)
        tails = self._tails
        if tails:
            tail = tails.pop()
            self.value = tail if tail > head else head
            if not tails:
                self._begin_block()
        elif len(self._block) == self.period:
            self.value = head
            self._begin_block()
        return self.value  # type: ignore[no-any-return]

    def _begin_block(self) -> None:
        self._previous = block = self._block
        self._tails = [*accumulate(block[:0:-1], max, initial=-inf)]
        self._block, self._head = [], -inf


class Lowest(WindowIndicator[float]):
    """The least of the latest `period` values; TA-Lib's MIN."""

    __slots__ = ("_head", "_tails")
    parameters = (period(30),)

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._head = inf
        #: As in `Highest`.
        self._tails: list[float] = []

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        if self._tails:
            return min(self._tails[-1], self._head, value)
        return min(self._head, value) if len(self._block) + 1 == self.period else None

    def update(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        head = self._head
        if value < head:
            self._head = head = value
        self._block.append(value)
        tails = self._tails
        if tails:
            tail = tails.pop()
            self.value = tail if tail < head else head
            if not tails:
                self._begin_block()
        elif len(self._block) == self.period:
            self.value = head
            self._begin_block()
        return self.value  # type: ignore[no-any-return]

    def _begin_block(self) -> None:
        self._previous = block = self._block
        self._tails = [*accumulate(block[:0:-1], min, initial=inf)]
        self._block, self._head = [], inf
