import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.indicators import EMA, RSI, SMA, create

NAMES = ["SMA", "EMA", "RSI"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_ready_with_its_first_result_and_keeps_the_latest(name: str) -> None:
    indicator = create(name, {"period": 5})
    for number in range(indicator.warm_up - 1):
        assert indicator.update(10.0 + number % 3) is None
        assert (indicator.ready, indicator.value) == (False, None)
    result = indicator.update(11.0)
    assert result is not None
    assert (indicator.ready, indicator.value) == (True, result)


@pytest.mark.parametrize("name", NAMES)
def test_a_peek_is_what_the_update_gives_and_changes_nothing(name: str) -> None:
    indicator, undisturbed = create(name, {"period": 4}), create(name, {"period": 4})
    values = random.Random(5)
    for _ in range(50):
        value = values.uniform(1, 100)
        indicator.peek(values.uniform(1, 100))
        peeked = indicator.peek(value)
        result = indicator.update(value)
        assert peeked == result == undisturbed.update(value)
    assert indicator.state() == undisturbed.state()


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(
    before=st.lists(st.floats(0.01, 1e6), max_size=40),
    after=st.lists(st.floats(0.01, 1e6), max_size=20),
    period=st.integers(2, 12),
)
def test_from_its_state_it_goes_on_to_the_last_bit(
    name: str, before: list[float], after: list[float], period: int
) -> None:
    indicator, successor = create(name, {"period": period}), create(name, {"period": period})
    for value in before:
        indicator.update(value)
    successor.update(12345.0)
    successor.restore(json.loads(json.dumps(indicator.state())))
    assert successor.value == indicator.value
    assert successor.state() == indicator.state()
    for value in after:
        assert successor.update(value) == indicator.update(value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_and_changes_nothing(name: str, value: float) -> None:
    indicator = create(name, {"period": 3})
    for number in range(6):
        indicator.update(10.0 + number)
        before = indicator.state()
        with pytest.raises(ValueError, match="finite"):
            indicator.update(value)
        with pytest.raises(ValueError, match="finite"):
            indicator.peek(value)
        assert indicator.state() == before


@pytest.mark.parametrize(
    ("indicator", "state", "complaint"),
    [
        (SMA(3), {}, "a state has period, values"),
        (SMA(3), {"period": 4, "values": []}, "period 4 for one of period 3"),
        (SMA(3), {"period": 3, "values": None}, "a list of less than 6"),
        (SMA(3), {"period": 3, "values": [1.0] * 6}, "a list of less than 6"),
        (SMA(3), {"period": 3, "values": [1.0, "2"]}, "each value must be a finite number"),
        (EMA(3), {"period": 3, "count": 3, "total": 1.0, "value": None}, "count must be"),
        (EMA(3), {"period": 3, "count": 1, "total": 1.0, "value": 2.0}, "a value after 1 of 2"),
        (EMA(3), {"period": 3, "count": 2, "total": math.nan, "value": None}, "total must be"),
        (
            RSI(3),
            {"period": 3, "last": None, "changes": 1, "gain": 0, "loss": 0, "value": None},
            "don't fit 1 changes",
        ),
        (
            RSI(3),
            {"period": 3, "last": 1.0, "changes": 3, "gain": 0, "loss": 0, "value": None},
            "don't fit 3 changes",
        ),
        (
            RSI(3),
            {"period": 3, "last": 1.0, "changes": 1, "gain": -1, "loss": 0, "value": None},
            "can't be negative",
        ),
    ],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(
    indicator: SMA | EMA | RSI, state: dict[str, object], complaint: str
) -> None:
    before = indicator.state()
    with pytest.raises(ValueError, match=complaint):
        indicator.restore(state)
    assert indicator.state() == before


def test_a_rolling_mean_gathers_no_rounding_in_a_million_values() -> None:
    values = random.Random(3)
    series = [values.uniform(0.1, 0.3) for _ in range(1_000_000)]
    sma = SMA(50)
    for value in series:
        sma.update(value)
    assert sma.value == pytest.approx(math.fsum(series[-50:]) / 50, rel=1e-15)


def test_a_huge_value_leaves_no_trace_once_it_is_out_of_the_window() -> None:
    sma = SMA(7)
    sma.update(1e18)
    for _ in range(7):
        sma.update(0.1)
    assert sma.value == pytest.approx(0.1, rel=1e-15)
