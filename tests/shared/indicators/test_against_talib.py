"""TA-Lib is the oracle: its batch functions, with default settings."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.indicators import create

NAMES = ["SMA", "EMA", "RSI"]


def oracle(name: str, values: Sequence[float], period: int) -> list[float | None]:
    result = getattr(talib, name)(np.array(values, dtype=float), timeperiod=period)
    return [None if math.isnan(value) else value for value in result.tolist()]


def incremental(name: str, values: Sequence[float], period: int) -> list[float | None]:
    indicator = create(name, {"period": period})
    return [indicator.update(value) for value in values]


def assert_equal(ours: list[float | None], theirs: list[float | None], tolerance: float) -> None:
    assert [value is None for value in ours] == [value is None for value in theirs]
    differences = [
        abs(a - b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None
    ]
    assert max(differences, default=0.0) <= tolerance


def walk(count: int, seed: int) -> list[float]:
    steps = random.Random(seed)
    price, prices = 100.0, []
    for _ in range(count):
        price = max(1.0, round(price + steps.gauss(0, 0.2), 2))
        prices.append(price)
    return prices


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("period", [2, 3, 14, 30, 200, 1000])
def test_a_long_walk_gives_what_talib_gives(name: str, period: int) -> None:
    prices = walk(30_000, seed=period)
    assert_equal(incremental(name, prices, period), oracle(name, prices, period), 1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(
    values=st.lists(st.one_of(st.integers(1, 500).map(float), st.floats(0.01, 1e5)), max_size=80),
    period=st.integers(2, 30),
)
def test_any_values_give_what_talib_gives(name: str, values: list[float], period: int) -> None:
    if values:
        assert_equal(incremental(name, values, period), oracle(name, values, period), 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_price_that_never_moves_gives_what_talib_gives(name: str) -> None:
    flat = [42.1] * 100
    assert_equal(incremental(name, flat, 14), oracle(name, flat, 14), 1e-12)


@pytest.mark.parametrize("name", ["SMA", "EMA"])
def test_an_average_of_one_is_the_value_itself_as_in_talib(name: str) -> None:
    prices = walk(100, seed=1)
    assert incremental(name, prices, 1) == prices
    assert_equal(incremental(name, prices, 1), oracle(name, prices, 1), 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_result_comes_after_the_warm_up_and_no_earlier(name: str) -> None:
    indicator = create(name, {"period": 9})
    results = [indicator.update(value) for value in walk(20, seed=2)]
    assert results.index(next(r for r in results if r is not None)) == indicator.warm_up - 1
