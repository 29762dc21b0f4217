"""TA-Lib's own functions by name; that it calculates rightly is taken for granted."""

import subprocess
import sys

import numpy as np
import pytest
import talib

from shared.indicators import CATALOGUE
from shared.indicators.indicator import NEVER
from shared.indicators.library import library
from tests.shared.indicators.markets import candles

MARKET = candles(400)


@pytest.mark.parametrize("name", library())
def test_every_function_has_its_first_result_after_its_warm_up(name: str) -> None:
    function = library()[name]
    results = function.calculate(MARKET, {})
    first = function.warm_up({}) - 1
    assert len(results) == len(MARKET)
    assert results[:first] == [None] * first
    for result in results[first:]:
        assert result is not None
        assert len(result) == len(function.outputs)


def test_all_that_candles_can_feed_is_there_and_nothing_twice() -> None:
    assert set(talib.get_functions()) - set(CATALOGUE) - set(library()) == {"MAVP"}
    assert not set(CATALOGUE) & set(library())


def test_values_are_the_librarys_with_the_parameters_asked_for() -> None:
    closes = np.array([one.close for one in MARKET])
    expected = talib.TEMA(closes, 7).tolist()
    results = library()["TEMA"].calculate(MARKET, {"timeperiod": 7})
    assert [row[0] for row in results[18:] if row is not None] == expected[18:]
    lines = talib.AROON(
        np.array([one.high for one in MARKET]), np.array([one.low for one in MARKET]), 14
    )
    assert library()["AROON"].outputs == ("aroondown", "aroonup")
    assert library()["AROON"].calculate(MARKET, {})[-1] == tuple(line[-1] for line in lines)


def test_what_is_no_number_is_none() -> None:
    assert library()["ACOS"].calculate(MARKET, {})[-1] == (None,)


def test_fewer_candles_than_the_warm_up_give_no_result() -> None:
    tema = library()["TEMA"]
    assert tema.calculate([], {}) == []
    assert tema.calculate(MARKET[:5], {}) == [None] * 5


@pytest.mark.parametrize(
    ("name", "params", "complaint"),
    [
        ("TEMA", {"period": 5}, "TEMA has no parameter period; it has timeperiod"),
        ("AD", {"timeperiod": 5}, "AD has no parameter timeperiod; it has none"),
        ("TEMA", {"timeperiod": 0}, "TEMA refuses timeperiod 0: out of TA-Lib's bounds"),
        ("TEMA", {"timeperiod": 10**6}, "timeperiod must be from 0 to 10000"),
        ("TEMA", {"timeperiod": "5"}, "timeperiod must be a whole number"),
        ("SAR", {"acceleration": "fast"}, "acceleration must be a number"),
        ("MA", {"matype": 99}, "MA refuses"),
    ],
)
def test_parameters_it_does_not_take_are_refused(
    name: str, params: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        library()[name].calculate(MARKET, params)


def test_what_carries_all_it_saw_says_so() -> None:
    assert library()["AD"].memory({}) == NEVER
    assert library()["TEMA"].memory({"timeperiod": 5}) == 130


def test_nothing_is_loaded_before_a_function_is_asked_for() -> None:
    program = (
        "import sys, shared.indicators, shared.indicators.library;"
        "sys.exit(bool({'numpy', 'talib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
