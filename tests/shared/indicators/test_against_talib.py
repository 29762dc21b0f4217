"""TA-Lib is the oracle: its batch functions, with default settings."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.indicators import create, find
from shared.models.market import Candle
from tests.shared.indicators.markets import candles, rows, trending, walk

Columns = dict[str, Any]
Rows = list[tuple[float, ...] | None]

# By what is asked of ours, the same of TA-Lib.
ORACLES: dict[str, Callable[..., Any]] = {
    "SMA": lambda c, period: talib.SMA(c["close"], period),
    "EMA": lambda c, period: talib.EMA(c["close"], period),
    "WMA": lambda c, period: talib.WMA(c["close"], period),
    "RSI": lambda c, period: talib.RSI(c["close"], period),
    "MACD": lambda c, fast, slow, signal: talib.MACD(c["close"], fast, slow, signal),
    "BBANDS": lambda c, period, deviations: talib.BBANDS(
        c["close"], period, deviations, deviations
    ),
    "ATR": lambda c, period: talib.ATR(c["high"], c["low"], c["close"], period),
    "STOCH": lambda c, fast_k, slow_k, slow_d: talib.STOCH(
        c["high"], c["low"], c["close"], fast_k, slow_k, 0, slow_d, 0
    ),
    "ADX": lambda c, period: tuple(
        function(c["high"], c["low"], c["close"], period)
        for function in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
    ),
    "CCI": lambda c, period: talib.CCI(c["high"], c["low"], c["close"], period),
    "OBV": lambda c: talib.OBV(c["close"], c["volume"]),
    "ROC": lambda c, period: talib.ROC(c["close"], period),
    "MFI": lambda c, period: talib.MFI(c["high"], c["low"], c["close"], c["volume"], period),
    "STDDEV": lambda c, period, deviations: talib.STDDEV(c["close"], period, deviations),
    "MAX": lambda c, period: talib.MAX(c["close"], period),
    "MIN": lambda c, period: talib.MIN(c["close"], period),
}
# 14 of these take a period alone or with a multiple, and these two more than one.
SEVERAL: dict[str, list[dict[str, int]]] = {
    "MACD": [
        {"fast": 12, "slow": 26, "signal": 9},
        {"fast": 2, "slow": 3, "signal": 1},
        {"fast": 5, "slow": 200, "signal": 50},
    ],
    "STOCH": [
        {"fast_k": 14, "slow_k": 3, "slow_d": 3},
        {"fast_k": 1, "slow_k": 1, "slow_d": 1},
        {"fast_k": 200, "slow_k": 10, "slow_d": 5},
    ],
    "OBV": [{}],
}
PERIODS = [2, 3, 14, 30, 200, 1000]
MARKET = candles(6_000, seed=7)
CASES = [
    (name, params)
    for name in ORACLES
    for params in SEVERAL.get(name, [{"period": period} for period in PERIODS])
]


def columns(market: Sequence[Candle]) -> Columns:
    return {
        name: np.array([getattr(one, name) for one in market], dtype=float)
        for name in ("high", "low", "close", "volume")
    }


def oracle(name: str, market: Sequence[Candle], params: dict[str, Any]) -> Rows:
    made = find(name).create(params)
    complete = {one.name: getattr(made, one.name) for one in made.parameters}
    result = ORACLES[name](columns(market), **complete)
    lines = result if isinstance(result, tuple) else (result,)
    return [
        None if any(math.isnan(one) for one in row) else row
        for row in zip(*(line.tolist() for line in lines), strict=True)
    ]


def incremental(name: str, market: Sequence[Candle], params: dict[str, Any]) -> Rows:
    indicator = create(name, params)
    whole = indicator.takes == "candle"
    results = [indicator.update(one if whole else one.close) for one in market]
    return [one if one is None or isinstance(one, tuple) else (one,) for one in results]


def assert_equal(ours: Rows, theirs: Rows, relative: float, absolute: float) -> None:
    assert [row is None for row in ours] == [row is None for row in theirs]
    a = np.array([row for row in ours if row is not None])
    b = np.array([row for row in theirs if row is not None])
    np.testing.assert_allclose(a, b, rtol=relative, atol=absolute)


@pytest.mark.parametrize(("name", "params"), CASES)
def test_a_long_walk_gives_what_talib_gives(name: str, params: dict[str, Any]) -> None:
    market = MARKET
    assert_equal(incremental(name, market, params), oracle(name, market, params), 1e-9, 1e-9)


@pytest.mark.parametrize(("name", "params"), CASES)
def test_a_market_that_moves_one_way_or_not_at_all_gives_what_talib_gives(
    name: str, params: dict[str, Any]
) -> None:
    market = trending(2_000)
    assert_equal(incremental(name, market, params), oracle(name, market, params), 1e-9, 1e-7)


price = st.one_of(st.integers(1, 500).map(float), st.floats(0.01, 1e4))
any_rows = st.lists(
    st.tuples(price, price, st.floats(0, 1), st.integers(0, 10_000).map(float)), max_size=80
)


@pytest.mark.parametrize("name", sorted(set(ORACLES) - set(SEVERAL)))
@settings(deadline=None, max_examples=40)
@given(given_rows=any_rows, period=st.integers(2, 30))
def test_any_candles_give_what_talib_gives(
    name: str, given_rows: list[tuple[float, float, float, float]], period: int
) -> None:
    market = rows(given_rows)
    if market:
        params = {"period": period}
        assert_equal(incremental(name, market, params), oracle(name, market, params), 1e-6, 1e-5)


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_price_that_never_moves_gives_what_talib_gives(name: str) -> None:
    market = rows([(42.1, 42.1, 0.0, 7.0)] * 100)
    assert_equal(incremental(name, market, {}), oracle(name, market, {}), 1e-12, 1e-12)


@pytest.mark.parametrize("name", ["SMA", "EMA", "WMA", "MAX", "MIN"])
def test_an_average_of_one_is_the_value_itself(name: str) -> None:
    prices = walk(100, seed=1)
    indicator = create(name, {"period": 1})
    assert [indicator.update(value) for value in prices] == prices


@pytest.mark.parametrize("name", ["RSI", "BBANDS", "STDDEV"])
def test_the_smallest_prices_keep_their_digits_as_in_talib(name: str) -> None:
    market = [rows([(close * 1e-9, close * 1e-9, 0.0, 1.0)])[0] for close in walk(2_000, seed=4)]
    assert_equal(incremental(name, market, {}), oracle(name, market, {}), 1e-7, 0.0)
