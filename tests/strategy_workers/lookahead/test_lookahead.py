"""A strategy that looks ahead is caught, by whatever door; an honest one is not accused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from shared.candles.timeframes import MINUTE_NS
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.library.grid import Grid
from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.lookahead.analysis import Analysis, analyse
from strategy_workers.runtime.desk import market_time
from strategy_workers.sdk import Candle, Strategy
from tests.strategy_workers.backtests.support import (
    MONDAY_NS,
    Busy,
    plan_of,
    walk,
    write_candles,
    write_prints,
)


def close_after(candle: Candle) -> float | None:
    """Through the back door: the backtest's own bars, found on the stack."""
    frame = sys._getframe()
    while frame is not None:
        market = getattr(frame.f_locals.get("self"), "_market", None)
        if market is not None:
            bars = market.bars
            later = [n for n in range(len(bars)) if bars.start_ns[n] >= candle.end_ns]
            return float(bars.close[later[0]]) if later else None
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Clairvoyant(Strategy):
    """Holds one lot while the next close is higher."""

    name = "clairvoyant"

    def on_candle(self, candle: Candle) -> None:
        coming = close_after(candle)
        self.target_position(candle.symbol, int(coming is not None and coming > candle.close))


class Abstaining(Strategy):
    """Cheats by what it leaves: buys all but those candles that a fall follows."""

    name = "abstaining"

    def on_candle(self, candle: Candle) -> None:
        coming = close_after(candle)
        if coming is None or coming >= candle.close:
            self.buy(candle.symbol, 1)


class Demanding(Strategy):
    """Reads the bar to come while the data has more than an hour, and falls over without it."""

    name = "demanding"

    def on_candle(self, candle: Candle) -> None:
        if self.now < market_time(MONDAY_NS + 60 * MINUTE_NS):
            coming = close_after(candle)
            if coming is None:
                raise LookupError("no future")
            self.target_position(candle.symbol, int(coming > candle.close))


class Remembering(Strategy):
    """Knows in a second run what it has seen in the first."""

    name = "remembering"
    seen: ClassVar[dict[int, float]] = {}

    def on_candle(self, candle: Candle) -> None:
        self.seen[candle.start_ns] = candle.close
        if self.seen.get(candle.end_ns, candle.close) >= candle.close:
            self.buy(candle.symbol, 1)


class Silent(Strategy):
    name = "silent"


def analysed(folder: Path, strategy: type[Strategy], cuts: int = 8) -> Analysis:
    path = write_candles(folder / "AAA.csv", walk(3, 200, holes=True))
    return analyse(plan_of(strategy, [path]), cuts)


def test_one_that_reads_the_bars_to_come_is_caught_at_the_cut(tmp_path: Path) -> None:
    found = analysed(tmp_path, Clairvoyant)
    assert not found.clean
    first = found.findings[0]
    # It knows one bar more than it should: only the decision right before the cut changes.
    assert first.at_ns == first.cut_ns
    assert first.with_future is not None or first.without is not None


def test_one_that_lets_bad_trades_be_is_caught_too(tmp_path: Path) -> None:
    found = analysed(tmp_path, Abstaining, cuts=40)
    assert any(each.with_future is None and each.without for each in found.findings)


def test_one_that_falls_over_without_the_future_is_caught(tmp_path: Path) -> None:
    found = analysed(tmp_path, Demanding)
    assert found.findings
    assert {each.without for each in found.findings} == {
        "the strategy raised LookupError: no future"
    }


def test_one_that_remembers_an_earlier_run_is_not_repeatable(tmp_path: Path) -> None:
    Remembering.seen.clear()
    found = analysed(tmp_path, Remembering)
    assert (found.repeatable, found.clean, found.cuts) == (False, False, 0)


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
@pytest.mark.parametrize("source", ["candles", "trades"])
def test_honest_strategies_are_clean_on_candles_and_on_trades(
    tmp_path: Path, source: str, timeframe: str
) -> None:
    market = walk(5, 240, holes=True)
    if source == "candles":
        path = write_candles(tmp_path / "AAA.csv", market)
    else:
        path = write_prints(tmp_path / "prints.csv", {"AAA": market})
    for strategy, given in (
        (SmaCrossover, {"fast": 2, "slow": 5, "confirmation": "15m", "confirmation_period": 2}),
        (Grid, {"step": "0.05"}),
        (Busy, {}),
    ):
        plan = plan_of(strategy, [path], source)
        plan = replace(plan, parameters=strategy.parse_parameters(given), timeframe=timeframe)
        found = analyse(plan, 6)
        assert found.clean, strategy.name
        assert found.cuts >= 4


def test_one_that_decides_nothing_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadBacktestError, match="decides nothing on this data"):
        analysed(tmp_path, Silent)


def test_the_command_says_that_a_strategy_of_the_library_is_clean(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "AAA.csv", walk(1, 300))
    done = subprocess.run(
        [
            sys.executable, "-m", "cli", "lookahead-analysis", "--strategy", "sma_crossover",
            "--exchange", "24/7", "--candles", str(path), "--param", "fast=2", "--param", "slow=5",
            "--cuts", "4", "--json",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["clean"], report["cuts"], report["findings"]) == (True, 4, [])
    assert report["decisions"] > 10
