"""Simple moving average."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, chain, islice
from math import isfinite

from shared.indicators.indicator import Indicator, State, checked_number, refuse_unless_finite


class SMA(Indicator):
    """The mean of the latest `period` values.

    A rolling sum that adds the new and subtracts the old value gathers rounding for ever. Here
    nothing is subtracted: values come in blocks of `period`, and each window is a tail of the
    block before and a head of the present one. Tails are summed once a block. So an error is
    never older than two windows, and a huge value leaves no trace once out of the window.
    """

    __slots__ = ("_block", "_head", "_previous", "_tails")

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._previous: list[float] = []
        #: The sum of the previous block from each index on, and 0.0 from its end on.
        self._tails: list[float] = []
        self._block: list[float] = []
        self._head = 0.0

    @property
    def warm_up(self) -> int:
        return self.period

    def peek(self, value: float) -> float | None:
        refuse_unless_finite(value)
        count = len(self._block) + 1
        if self._tails:
            return (self._tails[count] + (self._head + value)) / self.period
        return (self._head + value) / self.period if count == self.period else None

    def update(self, value: float) -> float | None:
        self.value = result = self.peek(value)
        self._block.append(float(value))
        self._head += value
        if len(self._block) == self.period:
            self._tails = [*accumulate(reversed(self._block), initial=0.0)]
            self._tails.reverse()
            self._previous, self._block, self._head = self._block, [], 0.0
        return result

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
                    refuse_unless_finite(value)
            if tails:
                yield [(tail + head) / period for tail, head in zip(tails, heads, strict=False)]
            else:
                yield [
                    None if count < period else heads[-1] / period
                    for count in range(1, len(block) + 1)
                ]
            # As in `update`, without the sum of the whole block, which no window begins with.
            tails = [*accumulate(reversed(block), initial=0.0)][-2::-1]

    def state(self) -> State:
        return {**self._begin_state(), "values": [*self._previous, *self._block]}

    def restore(self, state: Mapping[str, object]) -> None:
        self._checked_state(state, "values")
        values = state["values"]
        if not isinstance(values, list) or len(values) >= 2 * self.period:
            raise ValueError(f"values must be a list of less than {2 * self.period}")
        twin = SMA(self.period)
        for value in values:
            twin.update(checked_number("each value", value))
        self._previous, self._tails = twin._previous, twin._tails
        self._block, self._head, self.value = twin._block, twin._head, twin.value
