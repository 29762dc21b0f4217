"""Candles under way, as a strategy sees them, and the lines that it draws."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.candles.timeframes import MINUTE_NS
from shared.models.identifiers import Symbol
from shared.models.market import Candle as MarketCandle
from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.result import judged, whole_result
from strategy_workers.backtests.trades_run import run_trades
from strategy_workers.library import Catalogue
from strategy_workers.reports.backtest_page import backtest_page
from strategy_workers.runtime.deployment import HookError
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.plots import PlotsToStore, SeriesName, ThinnedPlots
from strategy_workers.sdk import Strategy
from strategy_workers.sdk.forming import FormingCandles
from strategy_workers.wiring import running_worker
from tests.strategy_workers.backtests.support import (
    Peeking,
    plan_of,
    walk,
    write_candles,
    write_prints,
)
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, candle
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.test_sma_crossover import Trading, deployed
from tests.strategy_workers.test_strategy_orders import acting

D = Decimal


def _runs(folder: Path, strategy: type[Strategy], timeframe: Any) -> tuple[Outcome, Outcome]:
    bars = walk(4, 300, holes=True)
    candles = plan_of(strategy, [write_candles(folder / "AAA.csv", bars)], timeframe=timeframe)
    prints = replace(
        candles, source="trades", files=(write_prints(folder / "prints.csv", {"AAA": bars}),)
    )
    return run_candles(candles, no_progress), run_trades(prints, no_progress)


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_what_is_forming_is_the_same_from_candles_and_from_prints(
    tmp_path: Path, timeframe: Any
) -> None:
    ours, theirs = _runs(tmp_path, Peeking, timeframe)
    assert len(ours.executions) > 10
    assert [one.price for one in ours.executions] == [one.price for one in theirs.executions]
    high = SeriesName("high", "AAA")
    last = ours.plots[high][-1][0]
    # The last interval is decided on when time is taken to its end.
    assert ours.plots[high] == [point for point in theirs.plots[high] if point[0] <= last]
    assert {value for _, value in ours.plots[SeriesName("minutes", None)]} <= set(range(1, 15))


def minute(number: int, close: float, volume: float = 1.0) -> MarketCandle:
    start = number * MINUTE_NS
    return MarketCandle(
        Symbol("SPY"), "1m", start, start + MINUTE_NS, close, close, close, close, volume, close, 2
    )


def test_a_forming_candle_is_all_minutes_since_the_last_complete_one() -> None:
    forming = FormingCandles(("SPY",), "5m")
    forming.begin()
    for number, close in enumerate((10.0, 12.0, 9.0)):
        forming.take(minute(number, close, volume=number + 1))
    found = forming["SPY"]
    assert found is not None
    assert (found.timeframe, found.start_ns, found.end_ns) == ("5m", 0, 3 * MINUTE_NS)
    assert (found.open, found.high, found.low, found.close) == (10, 12, 9, 9)
    assert (found.volume, found.trades) == (6, 6)
    assert found.vwap == pytest.approx((10 + 24 + 27) / 6)
    forming.take(msgspec.structs.replace(found, end_ns=5 * MINUTE_NS))
    assert forming["SPY"] is None
    forming.take(minute(2, 8.0))  # heard again
    assert forming["SPY"] is None


def test_an_interval_whose_begin_was_missed_is_not_known() -> None:
    forming = FormingCandles(("SPY",), "5m")
    forming.take(minute(3, 10.0))
    assert forming["SPY"] is None
    forming.take(candle("SPY", 4 * MINUTE_NS, 10.0, "5m"))
    forming.take(minute(5, 11.0))
    known = forming["SPY"]
    assert known is not None
    successor = FormingCandles(("SPY",), "5m")
    successor.restore(forming.state())
    assert successor["SPY"] == known
    with pytest.raises(KeyError):
        forming["QQQ"]


@pytest.mark.parametrize("paced", [True, False])
def test_a_run_that_begins_within_an_interval_knows_it_only_if_nothing_came_before(
    paced: bool,
) -> None:
    deployment = deployed(strategy=Peeking, parameters={})
    deployment.market.begin_run()
    [forming] = deployment.market.forming
    deployment.run_started("1-0", paced=paced)
    for number in (40, 41):
        deployment.market.form([minute(number, 10.0)])
    assert (forming["SPY"] is not None) is paced
    # From its next interval on it is known either way.
    deployment.market.form([candle("SPY", 30 * MINUTE_NS, 10.0, "15m")])
    deployment.market.form([minute(45, 11.0)])
    found = forming["SPY"]
    assert found is not None
    assert (found.start_ns, found.open) == (45 * MINUTE_NS, 11)


class Late(Strategy):
    name = "late"

    def on_start(self) -> None:
        self.plot("too early", 1)


class Minutely(Strategy):
    name = "minutely"

    def on_start(self) -> None:
        self.forming("1m")


@pytest.mark.parametrize("strategy", [Late, Minutely])
def test_what_on_start_can_not_ask_for_is_an_error(strategy: type[Strategy]) -> None:
    with pytest.raises(HookError, match=r"plots are for hooks|minutes are complete"):
        deployed(strategy=strategy, parameters={})


@pytest.mark.parametrize(
    ("name", "value", "symbol"),
    [
        ("", 1, None),
        (7, 1, None),
        ("a" * 61, 1, None),
        ("a", "much", None),
        ("a", float("nan"), None),
        ("a", 10**400, None),
        ("a", 1, "QQQ"),
    ],
)
def test_what_can_not_be_drawn_is_an_error(name: Any, value: Any, symbol: Any) -> None:
    with pytest.raises(HookError, match="StrategyError"):
        Trading(acting(lambda s, _: s.plot(name, value, symbol=symbol))).feed([100.0])


def flood(strategy: Strategy, _symbol: str) -> None:
    for number in range(25):
        strategy.plot(f"line {number}", number)
        strategy.plot(f"line {number}", number + 1)


def test_plots_without_end_leave_a_bounded_number_of_points_and_one_line() -> None:
    deployment = acting(flood)
    Trading(deployment).feed([100.0] * 60)
    assert len(deployment.journal.new_points) == 1000
    assert deployment.journal.new_points[0][1].value == 1
    assert [line.message for _, line in deployment.journal.new_lines] == ["plots_left_out"]
    # Whoever takes over goes on with the numbers, and knows the lines.
    body = deployment.snapshot()
    successor = acting(lambda strategy, _: strategy.plot("another", 1))
    successor.restore(body)
    Trading(successor).feed([100.0])
    assert successor.journal.new_points == []
    assert successor.journal.points == 1000


def test_a_run_keeps_evenly_taken_points() -> None:
    plots = ThinnedPlots(8)
    series = SeriesName("a", None)
    for at_ns in range(100):
        plots.add(series, at_ns, at_ns)
    found = [at_ns for at_ns, _ in plots.lines[series]]
    assert len(found) <= 8
    assert found == list(range(0, 100, found[1]))


def test_points_of_one_moment_count_once() -> None:
    for plots in (PlotsToStore(), ThinnedPlots(8)):
        plots.add(SeriesName("a", None), 1, 1.0)
        plots.add(SeriesName("a", None), 1, 2.0)
    assert plots.lines == {SeriesName("a", None): [(1, 2.0)]}


def test_a_result_and_its_report_have_the_plots(tmp_path: Path) -> None:
    plan = plan_of(Peeking, [write_candles(tmp_path / "AAA.csv", walk(4, 60))])
    result = whole_result(judged(plan, run_candles(plan, no_progress)))
    assert {(one["name"], one["symbol"]) for one in result["plots"]} == {
        ("average", "AAA"), ("high", "AAA"), ("minutes", None),
    }  # fmt: skip
    page = backtest_page("A run", result)
    assert "Plots AAA" in page
    assert ">average</text>" in page


async def test_points_of_a_deployment_are_stored_once_and_listed_newest_first(
    platform: Platform, worker_settings: Any, desk: OrderDesk, market: TapeEngine
) -> None:
    catalogue = Catalogue([Peeking])
    platform = Platform(platform.engine, platform.account, platform.redis, catalogue)
    deployment = platform.deploy("peeking")
    async with running_worker(worker_settings, catalogue):
        await platform.reaches(deployment, "running")
        await market.play("SPY", [100.0, 101, 102, 103, 104])
    found = platform.deployments.plots(platform.account, deployment, None, 100)
    assert [one.seq for one in found] == list(range(len(found), 0, -1))
    highs = [(one.symbol, one.value) for one in found if one.name == "high"]
    assert highs == [("SPY", 104.0), ("SPY", 103.0), ("SPY", 102.0), ("SPY", 101.0), ("SPY", 100)]
    assert [one.value for one in found if one.name == "average"] == [103, 102, 101]


def test_forming_candles_that_are_declared_again_are_the_same() -> None:
    market = MarketView(("SPY",), "1m", ())
    assert len({id(market.add_forming("1h")) for _ in range(1000)}) == 1
    assert market.sources == [("SPY", "1m"), ("SPY", "1h")]
    assert len(market.state().forming) == 1
