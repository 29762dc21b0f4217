import math

import pytest

from shared.indicators import CATALOGUE, RSI, SMA, create, find, warm_up

PARAMETERS = [(name, one) for name, entry in CATALOGUE.items() for one in entry.kind.parameters]


def test_the_catalogue_has_what_traders_ask_for_most() -> None:
    assert set(CATALOGUE) == {
        *("SMA", "EMA", "WMA", "VWAP", "RSI", "MACD", "BBANDS", "ATR", "STOCH", "ADX", "CCI"),
        *("OBV", "DONCHIAN", "KELTNER", "SUPERTREND", "ICHIMOKU", "ROC", "MFI", "STDDEV"),
        *("MAX", "MIN"),
    }
    assert (find("SMA").kind, find("RSI").kind) == (SMA, RSI)


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_tells_its_outputs_and_what_it_takes(name: str) -> None:
    entry = find(name)
    made = entry.create({})
    assert entry.outputs == made.outputs
    assert len(set(entry.outputs)) == len(entry.outputs) >= 1
    assert entry.takes == made.takes
    assert entry.takes in ("value", "candle")


def test_a_name_may_be_written_in_lower_case() -> None:
    assert find("sma") is CATALOGUE["SMA"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_left_out_has_the_default_of_the_schema(name: str) -> None:
    made = create(name, {})
    for parameter, schema in find(name).schema()["properties"].items():
        assert getattr(made, parameter) == schema["default"]
        assert schema["minimum"] <= schema["default"] <= schema["maximum"]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_the_ends_of_the_schemas_range_are_allowed_and_beyond_is_refused(
    name: str, parameter: object
) -> None:
    schema = find(name).schema()["properties"][parameter.name]  # type: ignore[attr-defined]
    key = parameter.name  # type: ignore[attr-defined]
    for allowed in (schema["minimum"], schema["maximum"]):
        beside = {"slow": 10_000} if (name, key) == ("MACD", "fast") else {}
        beside |= {"fast": 1} if (name, key) == ("MACD", "slow") else {}
        if (name, key, allowed) == ("MACD", "fast", 10_000):
            continue  # no slow average is slower
        assert getattr(create(name, {**beside, key: allowed}), key) == allowed
    for refused in (schema["minimum"] - 1, schema["maximum"] + 1, -5):
        with pytest.raises(ValueError, match=f"{key} must be from .* not {refused}"):
            create(name, {key: refused})


@pytest.mark.parametrize("value", ["14", 14.5, math.nan, None, True, [14], math.inf])
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_parameter_of_another_kind_is_refused(
    name: str, parameter: object, value: object
) -> None:
    key, whole = parameter.name, parameter.whole  # type: ignore[attr-defined]
    if not whole and value == 14.5:
        assert getattr(create(name, {key: value}), key) == value
        return
    with pytest.raises(ValueError, match=f"{key} must be a (whole )?number"):
        create(name, {key: value})


def test_averages_that_would_cross_over_are_refused() -> None:
    with pytest.raises(ValueError, match="fast must be less than slow, and 26 is not"):
        create("MACD", {"fast": 26})


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="SMA has no parameter length; it has period"):
        create("SMA", {"length": 5})
    with pytest.raises(ValueError, match="OBV has no parameter period; it has none"):
        create("OBV", {"period": 5})


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown indicator 'FOO'; known are SMA, EMA, WMA"):
        find("FOO")


@pytest.mark.parametrize(
    ("name", "candles"),
    [
        *[("SMA", 30), ("EMA", 30), ("WMA", 30), ("VWAP", 1), ("RSI", 15), ("MACD", 34)],
        *[("BBANDS", 20), ("ATR", 15), ("STOCH", 18), ("ADX", 28), ("CCI", 14), ("OBV", 1)],
        *[("DONCHIAN", 20), ("KELTNER", 20), ("SUPERTREND", 11), ("ICHIMOKU", 78)],
        *[("ROC", 11), ("MFI", 15), ("STDDEV", 5), ("MAX", 30), ("MIN", 30)],
    ],
)
def test_the_warm_up_is_told_beforehand(name: str, candles: int) -> None:
    assert warm_up(name, {}) == candles


def test_parameters_that_mean_the_same_have_one_key() -> None:
    entry = find("BBANDS")
    assert entry.key({}) == entry.key({"deviations": 2, "period": 20}) == (20, 2.0)
    assert entry.key({"period": 21}) != entry.key({})
