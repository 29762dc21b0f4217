"""Constructed markets: a strategy trades them in the books of a backtest, without costs.

A bar opens where the one before closed, so what is decided at a close fills there, one bar later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from shared.candles.timeframes import MINUTE_NS
from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.sdk import Strategy
from tests.strategy_workers.backtests.support import MONDAY_NS, Bar, plan_of, write_candles

DAY_NS = 1440 * MINUTE_NS
#: Number of the bar, side, quantity, price; in markets of several symbols with the symbol first.
Fill = tuple[object, ...]


def bars_of(closes: Sequence[float], every_ns: int = MINUTE_NS) -> list[Bar]:
    before = [closes[0], *closes]
    return [
        (MONDAY_NS + n * every_ns, before[n], max(before[n], close), min(before[n], close), close)
        for n, close in enumerate(closes)
    ]


@dataclass(frozen=True)
class Played:
    outcome: Outcome
    every_ns: int

    @property
    def fills(self) -> list[Fill]:
        several = len(self.outcome.symbols) > 1
        return [
            (*((str(one.symbol),) if several else ()), self._bar(one.at.timestamp()), one.side,
             float(one.qty), float(one.price))
            for one in self.outcome.executions
        ]  # fmt: skip

    @property
    def turns(self) -> list[tuple[object, ...]]:
        """Fills without quantity and price."""
        return [fill[:-2] for fill in self.fills]

    def _bar(self, at_s: float) -> int:
        return int((round(at_s * 10**9) - MONDAY_NS) // self.every_ns)


def play(
    folder: Path,
    strategy: type[Strategy],
    markets: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    daily: bool = False,
    **parameters: object,
) -> Played:
    """With 10,000 of capital; minute bars unless these are days."""
    named = markets if isinstance(markets, Mapping) else {"AAA": markets}
    every_ns = DAY_NS if daily else MINUTE_NS
    files = [
        write_candles(folder / f"{symbol}.csv", bars_of(closes, every_ns))
        for symbol, closes in named.items()
    ]
    plan = plan_of(strategy, files, timeframe="1d" if daily else "1m", capital=Decimal(10_000))
    plan = replace(plan, parameters=strategy.parse_parameters(parameters))
    return Played(run_candles(plan, no_progress), every_ns)
