"""Over a whole column an indicator says what it says value by value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.indicators import EMA, RSI, SMA
from strategy_workers.sdk.indicators import values_over

columns = st.lists(st.floats(-1e6, 1e6), max_size=60)


@given(columns, st.integers(1, 12))
def test_an_average_over_a_column_is_the_same_to_the_last_bit(
    column: list[float], period: int
) -> None:
    one_by_one = SMA(period)
    assert list(SMA(period).over(column)) == [one_by_one.update(value) for value in column]


@given(columns)
def test_indicators_without_a_way_of_their_own_go_value_by_value(column: list[float]) -> None:
    for make in (lambda: EMA(3), lambda: RSI(3)):
        one_by_one = make()
        assert list(values_over(make(), column)) == [one_by_one.update(value) for value in column]


@pytest.mark.parametrize("place", [0, 3, 7])
def test_what_is_no_number_is_refused(place: int) -> None:
    column = [1.0] * 10
    column[place] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        list(SMA(3).over(column))


def test_an_average_that_has_begun_can_not_be_taken_over_a_column() -> None:
    average = SMA(3)
    average.update(1.0)
    with pytest.raises(ValueError, match="fresh"):
        average.over([1.0])
