"""`tradectl new-strategy` and `validate-strategy`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import BadInputError, CliError
from cli.main import app
from strategy_workers.sandbox.process import Limits
from strategy_workers.sandbox.validation import validate


def tradectl(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, CliError):
        raise done.exception
    assert done.exception is None, done.output
    return done.output


def test_a_new_strategy_is_valid_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "my_first.py"
    assert str(path) in tradectl("new-strategy", "my_first", "--folder", str(path.parent))
    # Confined or not comes out the same; not every machine can.
    told = json.loads(tradectl("validate-strategy", str(path), "--unconfined", "--json"))
    assert told["valid"]
    assert [one["check"] for one in told["findings"]] == [
        "import",
        "parameters",
        "dry run",
        "repeatable",
    ]
    with pytest.raises(BadInputError, match="is there already"):
        tradectl("new-strategy", "my_first", "--folder", str(path.parent))


@pytest.mark.parametrize("name", ["../x", "X", "", "a b"])
def test_a_name_that_can_not_be_one_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="small letters"):
        tradectl("new-strategy", name, "--folder", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_none_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="can't be read"):
        tradectl("validate-strategy", str(tmp_path / "nothing.py"))
    (tmp_path / "strategy.exe").write_text("MZ")
    with pytest.raises(BadInputError, match=r"a \.py file"):
        tradectl("validate-strategy", str(tmp_path / "strategy.exe"))


@pytest.mark.parametrize(
    ("hook", "check", "said"),
    [
        ("raise RuntimeError('oh')", "dry run", "RuntimeError: oh"),
        (
            "import random; random.random() < .5 and self.buy(candle.symbol, 1)",
            "repeatable",
            "depends on chance",
        ),
    ],
)
def test_a_strategy_that_fails_is_told_why(hook: str, check: str, said: str) -> None:
    source = (
        "from strategy_workers.sdk import *\nclass Mine(Strategy):\n    name = 'mine'\n"
        f"    def on_candle(self, candle):\n        {hook}\n"
    )
    report = validate({"strategy.py": source.encode()}, Limits(confined=False))
    last = report.findings[-1]
    assert not report.valid
    assert (last.check, last.passed) == (check, False)
    assert said in last.said
