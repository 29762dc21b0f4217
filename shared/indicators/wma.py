"""Weighted moving average."""

from itertools import accumulate

from shared.indicators.checks import refuse_value
from shared.indicators.indicator import WindowIndicator
from shared.indicators.parameters import period


class WMA(WindowIndicator[float]):
    """The mean of the latest `period` values, the oldest with weight 1, the newest `period`."""

    __slots__ = ("_head", "_plain", "_tails", "_weights")
    parameters = (period(30),)

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._weights = period * (period + 1) / 2
        #: Weighted sum and plain sum of the present block.
        self._head = 0.0
        self._plain = 0.0
        #: Weighted sums of what the window still has of the previous block, the next one last.
        self._tails: list[float] = []

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        # What is in the block already comes one place nearer to the window's old end.
        head = self._head - self._plain + self.period * value
        if self._tails:
            return (self._tails[-1] + head) / self._weights
        return head / self._weights if len(self._block) + 1 == self.period else None

    def update(self, value: float, /) -> float | None:
        self.value = result = self.peek(value)
        self._head += self.period * value - self._plain
        self._plain += value
        self._block.append(value)
        if self._tails:
            self._tails.pop()
        if len(self._block) == self.period:
            self._previous = block = self._block
            sums = accumulate(block[:0:-1], initial=0.0)
            self._tails = [*accumulate(sums)]
            self._block, self._head, self._plain = [], 0.0, 0.0
        return result
