import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.indicators import ADX, CATALOGUE, CCI, EMA, MACD, OBV, ROC, RSI, SMA, create
from shared.indicators.indicator import Indicator
from shared.models.market import Candle
from tests.shared.indicators.markets import candle, candles, rows

NAMES = list(CATALOGUE)
#: Short ones, so that little data reaches every state.
SHORT: dict[str, dict[str, float]] = {
    "VWAP": {},
    "OBV": {},
    "MACD": {"fast": 2, "slow": 5, "signal": 3},
    "STOCH": {"fast_k": 4, "slow_k": 2, "slow_d": 3},
    "KELTNER": {"period": 5, "atr_period": 3},
    "ICHIMOKU": {"conversion": 2, "base": 3, "span": 6, "displacement": 4},
}


def short(name: str) -> Indicator[Any, Any]:
    return create(name, SHORT.get(name, {"period": 4}))


def given_to(indicator: Indicator[Any, Any], one: Candle) -> Any:
    return one if indicator.takes == "candle" else one.close


@pytest.mark.parametrize("name", NAMES)
def test_it_is_ready_with_its_first_result_after_the_warm_up_and_keeps_the_latest(
    name: str,
) -> None:
    for indicator in (short(name), create(name, {})):
        market = candles(indicator.warm_up + 5)
        for one in market[: indicator.warm_up - 1]:
            assert indicator.peek(given_to(indicator, one)) is None
            assert indicator.update(given_to(indicator, one)) is None
            assert (indicator.ready, indicator.value) == (False, None)
        for one in market[indicator.warm_up - 1 :]:
            result = indicator.update(given_to(indicator, one))
            assert result is not None
            assert (indicator.ready, indicator.value) == (True, result)
            numbers = result if isinstance(result, tuple) else (result,)
            assert len(numbers) == len(indicator.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_peek_is_what_the_update_gives_and_changes_nothing(name: str) -> None:
    indicator, undisturbed = short(name), short(name)
    forming = candles(120, seed=9)
    for other, one in zip(forming, candles(120, seed=5), strict=True):
        indicator.peek(given_to(indicator, other))
        before = indicator.state()
        peeked = indicator.peek(given_to(indicator, one))
        assert indicator.state() == before
        result = indicator.update(given_to(indicator, one))
        assert peeked == result == undisturbed.update(given_to(indicator, one))
    assert indicator.state() == undisturbed.state()


price = st.floats(0.01, 1e6)
row = st.tuples(price, price, st.floats(0, 1), st.floats(0, 1e6))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=40)
@given(before=st.lists(row, max_size=30), after=st.lists(row, max_size=15))
def test_from_its_state_it_goes_on_to_the_last_bit(
    name: str,
    before: list[tuple[float, float, float, float]],
    after: list[tuple[float, float, float, float]],
) -> None:
    indicator, successor = short(name), short(name)
    market = rows([*before, *after])
    for one in market[: len(before)]:
        indicator.update(given_to(indicator, one))
    successor.update(given_to(successor, candle(0, 12347.0, 12343.0, 12345.0, 5.0)))
    successor.restore(json.loads(json.dumps(indicator.state())))
    assert successor.value == indicator.value
    assert successor.state() == indicator.state()
    for one in market[len(before) :]:
        assert successor.update(given_to(successor, one)) == indicator.update(
            given_to(indicator, one)
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_state_changes_nothing(name: str) -> None:
    indicator, other = short(name), create(name, {})
    for one in candles(30):
        indicator.update(given_to(indicator, one))
    before = indicator.state()
    wrong: list[Any] = [{}, None, [], {**before, "more": 1}]
    wrong += [{**before, key: "x"} for key in before]
    wrong += [{**before, key: math.nan} for key in before]
    if other.parameters:
        wrong.append(other.state())
    for state in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            indicator.restore(state)
        assert indicator.state() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_changes_nothing(name: str, bad: float) -> None:
    indicator = short(name)
    for number, one in enumerate(candles(30)):
        indicator.update(given_to(indicator, one))
        before = indicator.state()
        worse = candle(number, one.high, one.low, bad, one.volume)
        for method in (indicator.update, indicator.peek):
            with pytest.raises(ValueError, match="finite"):
                method(given_to(indicator, worse))
        assert indicator.state() == before


@pytest.mark.parametrize("column", ["high", "low", "close", "volume"])
@pytest.mark.parametrize("name", ["STOCH", "ADX", "CCI", "MFI", "DONCHIAN", "KELTNER", "ICHIMOKU"])
def test_every_number_of_a_candle_is_looked_at(name: str, column: str) -> None:
    indicator = short(name)
    numbers = {"high": 11.0, "low": 9.0, "close": 10.0, "volume": 5.0, column: math.nan}
    with pytest.raises(ValueError, match="finite"):
        indicator.update(candle(0, **numbers))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"OBV"}))
def test_what_came_before_its_memory_does_not_matter(name: str) -> None:
    """To nine digits. On-balance volume remembers everything."""
    indicator, late = short(name), short(name)
    market = candles(3 * indicator.memory + 20, seed=11)
    for number, one in enumerate(market):
        indicator.update(given_to(indicator, one))
        if number >= len(market) - late.memory:
            late.update(given_to(late, one))
    assert late.value == pytest.approx(indicator.value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("indicator", "state", "complaint"),
    [
        (SMA(3), {}, "a state has period, values"),
        (SMA(3), {"period": 4, "values": [], "value": None}, "period 4 for one of period 3"),
        (SMA(3), {"period": 3, "values": None, "value": None}, "a list of less than 6"),
        (SMA(3), {"period": 3, "values": [1.0] * 6, "value": 1.0}, "a list of less than 6"),
        (
            SMA(3),
            {"period": 3, "values": [1.0, "2"], "value": None},
            "each value must be a finite number",
        ),
        (SMA(3), {"period": 3, "values": [1.0], "value": 1.0}, "doesn't fit 1 values"),
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
        (ROC(2), {"period": 2, "values": [1.0] * 3, "value": None}, "values are 2 at most"),
        (ROC(2), {"period": 2, "values": [1.0], "value": 1.0}, "a value after 1 of 2"),
        (CCI(3), {"period": 3, "prices": [1.0], "next": 2, "value": None}, "don't fit a period"),
        (CCI(2), {"period": 2, "prices": [1.0, 2.0], "next": 0, "value": None}, "doesn't fit 2"),
        (OBV(), {"close": None, "value": 3.0}, "don't fit"),
        (ADX(2), {**ADX(2).state(), "value": [1.0, 2.0]}, "list of adx, plus_di, minus_di"),
        (MACD(1, 2, 1), {**MACD(1, 2, 1).state(), "calm": {}}, "calm: a state has period"),
    ],
)
def test_a_state_of_something_else_is_refused_with_the_reason(
    indicator: Indicator[Any, Any], state: dict[str, object], complaint: str
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


@pytest.mark.parametrize("name", ["SMA", "WMA", "MAX"])
def test_a_huge_value_leaves_no_trace_once_it_is_out_of_the_window(name: str) -> None:
    indicator = create(name, {"period": 7})
    indicator.update(1e18)
    for _ in range(7):
        indicator.update(0.1)
    assert indicator.value == pytest.approx(0.1, rel=1e-15)
