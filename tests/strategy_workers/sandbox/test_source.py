"""What is taken for a strategy, and what isn't. In this process: nothing here means harm."""

import pytest

from strategy_workers.library import LIBRARY
from strategy_workers.sandbox.manifest import manifest_of, parameter_of
from strategy_workers.sandbox.source import BadSourceError, load
from strategy_workers.sdk import Strategy
from tests.strategy_workers.backtests.support import Busy


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"strategy.py": b"def on_candle(self, candle"}, "strategy.py is not Python"),
        ({"strategy.py": b"\0"}, "strategy.py is not Python"),
        ({"a.py": b"", "b.py": b""}, "Name the file that holds the strategy strategy.py"),
        ({"json.py": b"x = 1"}, "json.py has the name of a library"),
        ({}, "Name the file"),
    ],
)
def test_what_is_no_strategy_is_told_in_a_sentence(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(BadSourceError, match=said):
        load(files)


@pytest.mark.parametrize("name", ["", "A", "a", "with space", "../etc", "x" * 41, 7])
def test_a_strategy_needs_a_name_that_can_be_said_anywhere(name: object) -> None:
    with pytest.raises(BadSourceError, match="2 to 40 small letters"):
        manifest_of(type("Named", (Busy,), {"name": name}))


def test_a_strategy_without_hooks_is_none() -> None:
    with pytest.raises(BadSourceError, match="would never do anything"):
        manifest_of(type("Idle", (Strategy,), {"name": "idle"}))


@pytest.mark.parametrize("strategy", LIBRARY.all(), ids=lambda one: one.name)
def test_parameters_come_out_of_a_manifest_as_they_were(strategy: type[Strategy]) -> None:
    manifest = manifest_of(strategy)
    again = {shape.name: parameter_of(shape) for shape in manifest.parameters}
    for name, parameter in strategy.declared_parameters().items():
        assert again[name].schema() == parameter.schema()
