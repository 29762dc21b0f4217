import inspect
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.models.identifiers import Symbol
from shared.models.market import Candle, TimeMark
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord
from strategy_workers.runtime.desk import Lots
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.sandbox.frames import Manifest
from strategy_workers.sandbox.process import Limits, ReportedError, StrategyProcess
from strategy_workers.sandbox.strategy import sandboxed
from strategy_workers.sdk import Strategy

_MINUTE_NS = 60 * 10**9
_HEAD = """
from strategy_workers.sdk import *

class Author(Strategy):
    name = "author"
"""

_IMPORTS = """
import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from strategy_workers.sdk import *

SEEN = []

"""

#: Of all that `author` makes: no parameters, and `on_candle`, with `on_start` where it has that.
_PLAIN = Manifest("author", "", "", [], ["on_candle"], [])

#: Makes a strategy class from the hooks of its source.
Author = Callable[..., type[Strategy]]


@pytest.fixture(scope="session")
def _confinable() -> None:
    process = StrategyProcess(Limits())
    try:
        process.load({"strategy.py": (_HEAD + "    def on_candle(self, candle): pass\n").encode()})
    except ReportedError as error:
        if "can't be confined" in str(error):
            pytest.skip(str(error))
        raise
    finally:
        process.end()


@pytest.fixture
def author(_confinable: None) -> Author:
    def make(hooks: str, **limits: Any) -> type[Strategy]:
        body = "\n".join(f"    {line}" for line in hooks.strip("\n").splitlines())
        files = {"strategy.py": (_HEAD + body).encode()}
        start = ["on_start"] if "def on_start" in hooks else []
        manifest = msgspec.structs.replace(_PLAIN, hooks=[*start, "on_candle"])
        return sandboxed(manifest, files, Limits(**{"hook_timeout_s": 20.0, **limits}))

    return make


@pytest.fixture
def from_class(_confinable: None) -> Callable[[type[Strategy]], type[Strategy]]:
    """The same strategy in a process of its own."""

    def make(strategy: type[Strategy]) -> type[Strategy]:
        files = {"strategy.py": (_IMPORTS + inspect.getsource(strategy)).encode()}
        process = StrategyProcess(Limits())
        try:
            return sandboxed(process.load(files), files, Limits())
        finally:
            process.end()

    return make


class Trading:
    """A deployment of SPY with cash, fed candles by the minute."""

    def __init__(self, strategy: type[Strategy], **parameters: object) -> None:
        self.strategy = strategy
        self.record = DeploymentRecord(
            id=UUID(int=7),
            account_id=UUID(int=8),
            mode="paper",
            strategy=strategy.name,
            parameters=dict(parameters),
            symbols=("SPY",),
            timeframe="1m",
            wanted="running",
            status="running",
            snapshot=None,
            lots={"SPY": Lots(Decimal(1), Decimal("0.01"))},
        )
        self.deployment = Deployment(self.record, strategy)
        self.deployment.portfolio = Portfolio(cash=Decimal(100_000))
        self.lines: list[str] = []
        self._minute = 0

    def hear(self, *closes: float) -> list[Any]:
        """What it sends, over all candles."""
        sent: list[Any] = []
        for close in closes:
            start = self._minute * _MINUTE_NS
            self._minute += 1
            candle = Candle(
                Symbol("SPY"),
                "1m",
                start,
                start + _MINUTE_NS,
                close,
                close,
                close,
                close,
                1,
                close,
                1,
            )
            mark = TimeMark(number=self._minute, at_ns=candle.end_ns, phase="strategy", paced=True)
            self.deployment.decide(f"{self._minute}-0", mark, (), [candle])
            sent += self.deployment.outbox
            self.lines += [line.message for _, line in self.deployment.journal.new_lines]
            self.deployment.saved()
        return sent

    def change(self, **parameters: object) -> None:
        record = replace(self.record, parameters=parameters, version=2)
        changed = Deployment(record, self.strategy)
        changed.inherit(self.deployment)
        self.deployment = changed

    def take_over(self) -> None:
        """Another worker goes on from the snapshot."""
        body = self.deployment.snapshot()
        self.deployment = Deployment(replace(self.record, snapshot=body), self.strategy)
        self.deployment.restore(body)


@pytest.fixture
def trading(author: Author) -> Callable[..., Trading]:
    return lambda hooks, **limits: Trading(author(hooks, **limits))
