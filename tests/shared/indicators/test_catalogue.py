import math

import pytest

from shared.indicators import CATALOGUE, EMA, RSI, SMA, create, find, warm_up


def test_the_catalogue_knows_each_indicator_by_its_name() -> None:
    assert {name: entry.kind for name, entry in CATALOGUE.items()} == {
        "SMA": SMA,
        "EMA": EMA,
        "RSI": RSI,
    }
    assert all(entry.outputs == ("value",) for entry in CATALOGUE.values())


def test_a_name_may_be_written_in_lower_case() -> None:
    assert find("sma") is CATALOGUE["SMA"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_left_out_has_the_default_of_the_schema(name: str) -> None:
    period = find(name).schema()["properties"]["period"]
    assert create(name, {}).period == period["default"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_ends_of_the_schemas_range_are_allowed_and_beyond_is_refused(name: str) -> None:
    period = find(name).schema()["properties"]["period"]
    for allowed in (period["minimum"], period["maximum"]):
        assert create(name, {"period": allowed}).period == allowed
    for refused in (period["minimum"] - 1, period["maximum"] + 1, -5):
        with pytest.raises(ValueError, match=f"period must be from .* not {refused}"):
            create(name, {"period": refused})


@pytest.mark.parametrize("period", ["14", 14.0, math.nan, None, True, [14], math.inf])
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_period_that_is_no_whole_number_is_refused(name: str, period: object) -> None:
    with pytest.raises(ValueError, match="period must be a whole number"):
        create(name, {"period": period})


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown indicator 'MACD'; known are SMA, EMA, RSI"):
        create("MACD", {})
    with pytest.raises(ValueError, match="SMA has no parameter length; it has period"):
        create("SMA", {"length": 5})


def test_warm_up_is_the_number_of_values_to_the_first_result() -> None:
    assert warm_up("SMA", {"period": 20}) == 20
    assert warm_up("EMA", {"period": 20}) == 20
    assert warm_up("RSI", {"period": 14}) == 15
