from decimal import Decimal

import pytest

from strategy_workers.library import LIBRARY, Catalogue
from strategy_workers.optimisation.space import parse_space
from strategy_workers.sandbox.manifest import manifest_of, parameter_of
from strategy_workers.sdk import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    InvalidParametersError,
    ParameterError,
    Strategy,
    StrategyError,
)


class Sample(Strategy):
    name = "sample"
    count = IntParameter(default=5, low=1, high=10, help="How many")
    share = DecimalParameter(default="0.5", low=0, high=1)
    side = CategoricalParameter(default="both", choices=["long", "both"])
    eager = BooleanParameter(default=False)
    size = IntParameter(default=100, low=50, high=500, step=50)
    edge = DecimalParameter(default="0.2", low=0, high=1, step="0.1")

    def check_parameters(self) -> None:
        if self.eager and self.count < 3:
            raise ParameterError("count", "must be 3 or more when eager")


def test_parameters_read_as_plain_values() -> None:
    sample = Sample(Sample.parse_parameters({"count": 7, "share": 0.1}))
    assert (sample.count, sample.share, sample.side, sample.eager) == (
        7,
        Decimal("0.1"),
        "both",
        False,
    )
    with pytest.raises(AttributeError, match="count can't be assigned"):
        sample.count = 8


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"cout": 1}, "cout", "sample has no parameter of this name"),
        ({"count": 0}, "count", "must be from 1 to 10"),
        ({"count": 11}, "count", "must be from 1 to 10"),
        ({"count": True}, "count", "must be a whole number"),
        ({"count": 2.0}, "count", "must be a whole number"),
        ({"count": "2"}, "count", "must be a whole number"),
        ({"count": None}, "count", "must be a whole number"),
        ({"share": "1.01"}, "share", "must be from 0 to 1"),
        ({"share": float("nan")}, "share", "must be a finite number"),
        ({"share": "Infinity"}, "share", "must be a finite number"),
        ({"share": True}, "share", "must be a number"),
        ({"share": "much"}, "share", "must be a number"),
        ({"share": []}, "share", "must be a number"),
        ({"side": "short"}, "side", "must be one of long, both"),
        ({"side": 1}, "side", "must be one of long, both"),
        ({"size": 120}, "size", "must be a multiple of 50"),
        ({"edge": 0.25}, "edge", "must be a multiple of 0.1"),
        ({"eager": 1}, "eager", "must be true or false"),
        ({"eager": True, "count": 2}, "count", "must be 3 or more when eager"),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_sentence(
    given: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(InvalidParametersError) as refused:
        Sample.parse_parameters(given)
    assert [(error.field, error.message) for error in refused.value.errors] == [(field, message)]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidParametersError) as refused:
        Sample.parse_parameters({"count": 0, "side": "no", "what": 1})
    assert {error.field for error in refused.value.errors} == {"count", "side", "what"}


def test_encoded_parameters_come_back_equal() -> None:
    values = Sample.parse_parameters({"share": "0.123456789012"})
    encoded = Sample.encode_parameters(values)
    assert encoded == {
        "count": 5, "share": "0.123456789012", "side": "both", "eager": False,
        "size": 100, "edge": "0.2",
    }  # fmt: skip
    assert Sample.parse_parameters(encoded) == values


def test_the_schema_says_what_is_allowed() -> None:
    assert Sample.parameters_schema() == {
        "type": "object",
        "properties": {
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10,
                "default": 5,
                "description": "How many",
            },
            "share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "side": {"type": "string", "enum": ["long", "both"], "default": "both"},
            "eager": {"type": "boolean", "default": False},
            "size": {
                "type": "integer",
                "minimum": 50,
                "maximum": 500,
                "multipleOf": 50,
                "default": 100,
            },
            "edge": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "multipleOf": 0.1,
                "default": 0.2,
            },
        },
        "additionalProperties": False,
    }


def test_a_default_out_of_bounds_is_a_fault_of_the_author() -> None:
    with pytest.raises(ValueError, match="must be from 1 to 2"):
        IntParameter(default=3, low=1, high=2)


def test_a_strategy_that_is_not_running_has_no_market() -> None:
    with pytest.raises(StrategyError, match="isn't running"):
        Sample(Sample.parse_parameters({})).buy("SPY", 1)


def test_every_strategy_of_the_library_has_a_name_a_title_and_working_defaults() -> None:
    for strategy in LIBRARY.all():
        assert strategy.title
        assert strategy.description
        strategy.parse_parameters({})
    assert LIBRARY.find("sma_crossover") is not None
    assert LIBRARY.find("nothing") is None


def test_two_strategies_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        Catalogue([Sample, Sample])


@pytest.mark.parametrize(("low", "high", "step"), [(1, 10, 2), (2, 11, 2), (0, 10, 0), (0, 10, -1)])
def test_bounds_are_multiples_of_the_step(low: int, high: int, step: int) -> None:
    with pytest.raises(ValueError, match="must be multiples of the step"):
        IntParameter(low, low=low, high=high, step=step)
    with pytest.raises((ValueError, ArithmeticError)):
        DecimalParameter(low, low=low, high=high, step=step)


def test_steps_are_in_the_schema_and_survive_a_process_of_its_own() -> None:
    schema = Sample.parameters_schema()["properties"]
    assert isinstance(schema, dict)
    assert "multipleOf" not in schema["count"] | schema["share"]
    declared = Sample.declared_parameters()
    for shape in manifest_of(type("Acting", (Sample,), {"on_candle": lambda *_: None})).parameters:
        assert parameter_of(shape).schema() == declared[shape.name].schema()
    space = parse_space(Sample, ["size", "edge"], {})
    assert [len(one.values) for one in space.dimensions] == [10, 11]
