"""A strategy decides in a process of its own what it decides in the worker's."""

from collections.abc import Callable
from pathlib import Path

from strategy_workers.backtests.run import run_backtest
from strategy_workers.deployments.variables import variables_of
from strategy_workers.sdk import Strategy
from tests.strategy_workers.backtests.support import Busy, Peeking, plan_of, walk, write_candles
from tests.strategy_workers.sample_strategies import Flipping, Tunable
from tests.strategy_workers.sandbox.conftest import Trading

Elsewhere = Callable[[type[Strategy]], type[Strategy]]


def test_orders_of_every_kind_come_out_the_same(tmp_path: Path, from_class: Elsewhere) -> None:
    files = [
        write_candles(tmp_path / f"{symbol}.csv", walk(seed, 400, holes=True))
        for seed, symbol in enumerate(("SPY", "QQQ"), start=1)
    ]
    here, there = (
        run_backtest(plan_of(strategy, files, fee_bps=1)) for strategy in (Busy, from_class(Busy))
    )
    assert len(here.outcome.executions) > 100
    assert there.outcome == here.outcome


def test_what_is_forming_and_drawn_comes_out_the_same(
    tmp_path: Path, from_class: Elsewhere
) -> None:
    files = [write_candles(tmp_path / "AAA.csv", walk(4, 120))]
    here, there = (
        run_backtest(plan_of(strategy, files)).outcome
        for strategy in (Peeking, from_class(Peeking))
    )
    assert len(here.plots) == 3
    assert there == here


def test_another_worker_goes_on_from_the_snapshot(from_class: Elsewhere) -> None:
    closes = [100 + (7 * n) % 11 for n in range(30)]
    undisturbed = Trading(Flipping)
    expected = undisturbed.hear(*closes)
    assert expected
    play = Trading(from_class(Flipping))
    sent = play.hear(*closes[:11])
    play.take_over()
    sent += play.hear(*closes[11:19])
    play.take_over()
    sent += play.hear(*closes[19:])
    assert sent == expected
    assert play.deployment.state == undisturbed.deployment.state
    known, other = (variables_of(one.deployment.snapshot()) for one in (undisturbed, play))
    assert other.indicators == known.indicators
    assert set(other.indicators) == {"average"}


def test_other_parameters_keep_the_indicators_that_both_have(from_class: Elsewhere) -> None:
    closes = [100.0 + n for n in range(6)]
    lines = []
    for strategy in (Tunable, from_class(Tunable)):
        play = Trading(strategy)
        play.hear(*closes)
        play.change(period=3)
        play.hear(106.0, 107.0)
        lines.append(variables_of(play.deployment.snapshot()).indicators)
    assert lines[0] == lines[1]
