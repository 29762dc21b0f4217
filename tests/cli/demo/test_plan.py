import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from cli.demo.plan import SYNTHETIC, make_plan
from cli.errors import BadInputError

_HEADER = "timestamp,symbol,price,size\n"
_LINE = "2024-01-02T14:30:00Z,SPY,470.10,100\n"


def _file(tmp_path: Path, text: str, name: str = "trades.csv.gz") -> Path:
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_symbols_come_from_the_files_in_order(tmp_path: Path) -> None:
    first = _file(tmp_path, _HEADER + _LINE, "a.csv.gz")
    second = _file(tmp_path, _HEADER + _LINE.replace("SPY", "IBM") + _LINE, "b.csv.gz")
    plan = make_plan([second, first], "sma_crossover", "5m", [], "5000.50")
    assert plan.symbols == ("IBM", "SPY")
    assert plan.capital == Decimal("5000.50")


def test_without_files_the_market_is_the_synthetic_one() -> None:
    assert make_plan([], "s", "1m", [], "1").symbols == tuple(SYNTHETIC["symbols"])


def test_parameters_are_numbers_flags_or_text_as_they_look() -> None:
    plan = make_plan([], "s", "1m", ["fast=10", "x = 1.5", "on=true", "kind=ema", "e=a=b"], "1")
    assert plan.parameters == {"fast": 10, "x": 1.5, "on": True, "kind": "ema", "e": "a=b"}


@pytest.mark.parametrize(
    ("timeframe", "parameters", "capital", "sentence"),
    [
        ("2m", [], "1", "there is no timeframe 2m"),
        ("1m", ["fast"], "1", "--param must look like name=value, not fast"),
        ("1m", ["=1"], "1", "--param must look like name=value"),
        ("1m", ["a=1", "a=2"], "1", "--param a is given twice"),
        ("1m", [], "lots", "--capital must be an amount, not lots"),
        ("1m", [], "0", "--capital must be above 0"),
        ("1m", [], "-5", "--capital must be above 0"),
        ("1m", [], "NaN", "--capital must be above 0"),
        ("1m", [], "Infinity", "--capital must be above 0"),
        ("1m", [], "1e30", "at most"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    timeframe: str, parameters: list[str], capital: str, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        make_plan([], "s", timeframe, parameters, capital)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (_HEADER, "no trade"),
        (_HEADER + "2024-01-02T14:30:00Z,SPY,abc,100\n", "line 2.*price"),
        ("timestamp,symbol,price\n", "'size' is missing"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"trades.csv.gz.*{sentence}"):
        make_plan([_file(tmp_path, text)], "s", "1m", [], "1")


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"can't read .*none\.csv"):
        make_plan([tmp_path / "none.csv"], "s", "1m", [], "1")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="can't read"):
        make_plan([tmp_path], "s", "1m", [], "1")
