"""Simple moving average."""

from itertools import accumulate

from shared.indicators.checks import refuse_value
from shared.indicators.indicator import WindowIndicator
from shared.indicators.parameters import period


class SMA(WindowIndicator[float]):
    """The mean of the latest `period` values."""

    __slots__ = ("_head", "_tails")
    parameters = (period(30),)

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._head = 0.0
        #: Sums of what the window still has of the previous block, the next one last.
        self._tails: list[float] = []

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        if self._tails:
            return (self._tails[-1] + (self._head + value)) / self.period
        full = len(self._block) + 1 == self.period
        return (self._head + value) / self.period if full else None

    def update(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        self._head = head = self._head + value
        self._block.append(value)
        tails = self._tails
        if tails:
            self.value = result = (tails.pop() + head) / self.period
            if not tails:
                self._begin_block()
            return result
        if len(self._block) == self.period:
            self.value = head / self.period
            self._begin_block()
        return self.value  # type: ignore[no-any-return]

    def _begin_block(self) -> None:
        self._previous = block = self._block
        self._tails = [*accumulate(block[:0:-1], initial=0.0)]
        self._block, self._head = [], 0.0
