"""What an incremental indicator is, and what all of them share: parameters, checks, state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, Literal, Self, TypeVar

from shared.indicators.checks import checked_number
from shared.indicators.fields import Field
from shared.indicators.parameters import Parameter
from shared.models.market import Candle

#: Enough to go on exactly where it left off; plain numbers, lists and dicts: it goes into JSON.
State = dict[str, Any]

Input_contra = TypeVar("Input_contra", contravariant=True)
Output_co = TypeVar("Output_co", covariant=True)

#: Of indicators that carry all they ever saw: no number of candles settles them.
NEVER: Final = 0


class Indicator(ABC, Generic[Input_contra, Output_co]):
    """Takes one input after another, oldest first: plain values, or whole candles.

    A result is one number, or a tuple of them in the order of `outputs`. Each takes constant
    time (amortised), CCI excepted. A constructor takes the `parameters` in their order, and
    raises ValueError for one out of bounds.
    """

    __slots__ = ("value",)

    #: What `update` is given.
    takes: ClassVar[Literal["value", "candle"]]
    #: What it reads of a candle; a value indicator can be given others than the close.
    columns: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ("value",)
    #: What the state holds besides parameters and value; each is an attribute with a `_` before.
    fields: ClassVar[Mapping[str, Field]] = {}
    #: Of the first result on: after the latest `update`.
    value: Any

    def __init__(self, *given: object) -> None:
        for parameter, its in zip(self.parameters, given, strict=True):
            setattr(self, parameter.name, parameter.checked(its))
        self.value = None

    @property
    def ready(self) -> bool:
        return self.value is not None

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """How many inputs it takes to the first result."""

    @property
    def memory(self) -> int:
        """After how many inputs it doesn't matter any more what came before; see `NEVER`.

        To nine digits: an exponential mean of n values has forgotten its beginning after 10 n.
        """
        return 10 * self.warm_up

    @abstractmethod
    def peek(self, given: Input_contra, /) -> Output_co | None:
        """What `update(given)` would return, changing nothing: for a forming candle."""

    @abstractmethod
    def update(self, given: Input_contra, /) -> Output_co | None:
        """The result with `given` added; None while warming up.

        ValueError, and nothing changed, when a number in it is not finite.
        """

    def twin(self) -> Self:
        """A new one with the same parameters, which has seen nothing."""
        return type(self)(*(getattr(self, parameter.name) for parameter in self.parameters))

    def state(self) -> State:
        return {
            **self._parameter_values(),
            **{name: field.dump(getattr(self, f"_{name}")) for name, field in self.fields.items()},
            "value": list(self.value) if isinstance(self.value, tuple) else self.value,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become what gave this state, to the last bit.

        ValueError, and nothing changed, when it is none of this kind and parameters.
        """
        self._refuse_unless_ours(state, (*self.fields, "value"))
        loaded = {
            name: field.load(name, state[name], getattr(self, f"_{name}"))
            for name, field in self.fields.items()
        }
        value = self._checked_value(state["value"])
        self._check(loaded, value)
        for name, its in loaded.items():
            setattr(self, f"_{name}", its)
        self.value = value

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        """Raise ValueError for fields that can't be together."""

    def _parameter_values(self) -> dict[str, int | float]:
        return {parameter.name: getattr(self, parameter.name) for parameter in self.parameters}

    def _refuse_unless_ours(self, state: Mapping[str, Any], names: tuple[str, ...]) -> None:
        parameters = self._parameter_values()
        wanted = [*parameters, *names]
        if not isinstance(state, Mapping) or set(state) != set(wanted):
            got = sorted(state) if isinstance(state, Mapping) else state
            raise ValueError(f"a state has {', '.join(wanted)}; got {got}")
        for name, ours in parameters.items():
            if state[name] != ours:
                raise ValueError(f"state of {name} {state[name]} for one of {name} {ours}")

    def _checked_value(self, value: object) -> Any:
        if value is None:
            return None
        if len(self.outputs) == 1:
            return checked_number("value", value)
        if not isinstance(value, list) or len(value) != len(self.outputs):
            raise ValueError(f"value must be a list of {', '.join(self.outputs)}, not {value!r}")
        return tuple(checked_number("value", one) for one in value)


class ValueIndicator(Indicator[float, Output_co]):
    """Takes one number of each candle, its close for example."""

    __slots__ = ()
    takes = "value"
    columns = ("close",)


class CandleIndicator(Indicator[Candle, Output_co]):
    """Takes whole candles."""

    __slots__ = ()
    takes = "candle"
    columns: ClassVar[tuple[str, ...]] = ("high", "low", "close")


class WindowIndicator(ValueIndicator[Output_co]):
    """Over the latest `period` values, which come in blocks of that length.

    A rolling sum that adds the new and subtracts the old value gathers rounding for ever. Here
    nothing is subtracted: each window is a tail of the block before and a head of the present
    one, and tails are combined once a block. So an error is never older than two windows, a huge
    value leaves no trace once out of the window, and what can't be subtracted, such as a
    maximum, works as well.
    """

    __slots__ = ("_block", "_previous", "period")
    period: int

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self._previous: list[float] = []
        self._block: list[float] = []

    @property
    def warm_up(self) -> int:
        return self.period

    @property
    def memory(self) -> int:
        return self.period

    def state(self) -> State:
        return {
            **super().state(),
            "values": [*self._previous, *self._block],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._refuse_unless_ours(state, ("values", "value"))
        values = state["values"]
        if not isinstance(values, list) or len(values) >= 2 * self.period:
            raise ValueError(f"values must be a list of less than {2 * self.period}")
        twin = self.twin()
        for value in values:
            twin.update(checked_number("each value", value))
        # The same but for rounding: what is calculated from depends on the block before.
        twin.value = self._checked_value(state["value"])
        if twin.ready != (len(values) >= self.period):
            raise ValueError(f"value {twin.value} doesn't fit {len(values)} values")
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                setattr(self, name, getattr(twin, name))
