"""Simple moving average."""

from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, islice
from math import isfinite

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

    def over(self, values: Iterable[float]) -> Iterator[float | None]:
        """What `update` returns for each of `values`, to the last bit, several times as fast.

        It reads a block ahead. The indicator itself stays as it is: it must be a fresh one.
        """
        if self._previous or self._block:
            raise ValueError("only a fresh average can be taken over a whole column")
        return chain.from_iterable(self._blocks(iter(values)))

    def _blocks(self, values: Iterator[float]) -> Iterator[list[float | None]]:
        period = self.period
        tails: list[float] = []
        while block := list(islice(values, period)):
            heads = list(accumulate(block))
            if not isfinite(heads[-1]):
                for value in block:
                    if value - value:
                        refuse_value(value)
            if tails:
                yield [(tail + head) / period for tail, head in zip(tails, heads, strict=False)]
            else:
                yield [
                    None if count < period else heads[-1] / period
                    for count in range(1, len(block) + 1)
                ]
            # As in `_begin_block`, the first one first.
            tails = [*accumulate(block[:0:-1], initial=0.0)][::-1]
