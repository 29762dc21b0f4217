"""Out-of-sample runs end to end, as one account would have made them.

Each run begins flat with what the one before it left. Its positions are closed at its end, at the
last close with slippage and fee, so that nothing is carried over a seam for free and no profit
counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.metrics.annual_return import annual_return_fraction
from shared.metrics.calmar import calmar
from shared.metrics.deflated_sharpe import moments, probabilistic_sharpe
from shared.metrics.drawdown import max_drawdown
from shared.metrics.executions import Fill, Point
from shared.metrics.expectancy import expectancy
from shared.metrics.profit_factor import profit_factor
from shared.metrics.sharpe import daily_returns, sharpe
from shared.metrics.sortino import sortino
from shared.metrics.total_return import total_return_fraction
from shared.metrics.trades import Trade, round_trips
from shared.metrics.win_rate import win_rate
from shared.models.orders import Side
from shared.trading.amounts import ZERO, exactly, measured
from shared.trading.commissions import expected_fee
from shared.trading.costs import notional_of
from strategy_workers.backtests.outcome import Outcome
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.backtests.result import fill_of, measured_run, plain_text
from strategy_workers.optimisation.trial import LEAST_DAYS


@dataclass(frozen=True)
class Stretch:
    """One run out of sample, closed out."""

    capital: Decimal
    equity: Decimal
    begin_us: int
    end_us: int
    #: The first is the capital; the last the equity after everything is closed.
    telling: list[Point]
    shown: list[Point]
    trades: list[Trade]
    executions: int


def stretch_of(plan: Plan, outcome: Outcome) -> Stretch:
    found = measured_run(plan, outcome)
    fills = [fill_of(execution) for execution in outcome.executions]
    end_us = outcome.last_ns // 1000
    closing = _closing_fills(plan.terms, outcome, fills, end_us)
    equity = outcome.equity - _lost(outcome, closing)
    return Stretch(
        capital=plan.terms.capital,
        equity=equity,
        begin_us=outcome.first_ns // 1000,
        end_us=end_us,
        telling=_ending(found.telling, end_us, equity),
        shown=_ending(found.curve, end_us, equity),
        trades=round_trips([*fills, *closing]),
        executions=len(fills) + len(closing),
    )


def idle_stretch(capital: Decimal, begin_us: int, end_us: int) -> Stretch:
    """Of a window for which no parameters were found."""
    points = [Point(begin_us, capital), Point(end_us, capital)]
    return Stretch(capital, capital, begin_us, end_us, points, points, [], 0)


@exactly
def _closing_fills(terms: Terms, outcome: Outcome, fills: Sequence[Fill], at_us: int) -> list[Fill]:
    closing = []
    for symbol, (qty, _) in outcome.positions.items():
        close = measured(outcome.closes[symbol].close[-1])
        side: Side = "sell" if qty > 0 else "buy"
        price = terms.paper.slipped(close, side, terms.tick_size, abs(qty))
        own = [fill for fill in fills if fill.symbol == symbol]
        # All that the symbol brings, less what was realised before.
        brought = sum((-fill.qty * fill.price - fill.realized_pnl for fill in own), ZERO)
        value = notional_of(abs(qty), price, side)
        fee = expected_fee(terms.paper.commission, abs(qty), value, ZERO)
        closing.append(Fill(symbol, -qty, price, fee, brought + qty * price, at_us))
    return closing


@exactly
def _lost(outcome: Outcome, closing: Sequence[Fill]) -> Decimal:
    """Against the value at which the run counted what it held."""
    worth = sum((value for _, value in outcome.positions.values()), ZERO)
    return worth - sum((-fill.qty * fill.price - fill.fee for fill in closing), ZERO)


def _ending(points: list[Point], end_us: int, equity: Decimal) -> list[Point]:
    kept = [point for point in points if point.at_us < end_us]
    return [*kept, Point(end_us, equity)]


def stitched(stretches: Sequence[Stretch], *, shown: bool = False) -> list[Point]:
    """One curve. A point at a seam is there once."""
    points: list[Point] = []
    for stretch in stretches:
        own = stretch.shown if shown else stretch.telling
        points += own[1:] if points and own[0].at_us <= points[-1].at_us else own
    return points


def stitched_metrics(stretches: Sequence[Stretch]) -> dict[str, Any]:
    """As those of a backtest, of all stretches together."""
    curve = stitched(stretches)
    trades = [trade for stretch in stretches for trade in stretch.trades]
    drawdown = max_drawdown(curve)
    assert drawdown is not None, "there is at least one window"
    total = total_return_fraction(stretches[0].capital, stretches[-1].equity)
    seconds = (stretches[-1].end_us - stretches[0].begin_us) / 1e6
    annual = annual_return_fraction(total, seconds)
    expected = expectancy(trades)
    returns = daily_returns(curve)
    found = moments(returns) if len(returns) >= LEAST_DAYS else None
    return {
        "total_return_fraction": total,
        "annual_return_fraction": annual,
        "max_drawdown": plain_text(drawdown.amount),
        "max_drawdown_fraction": drawdown.fraction,
        "max_drawdown_duration_s": drawdown.duration_s,
        "sharpe": sharpe(curve),
        "sortino": sortino(curve),
        "calmar": calmar(annual, drawdown.fraction),
        "trades": len(trades),
        "win_rate": win_rate(trades),
        "profit_factor": profit_factor(trades),
        "expectancy": None if expected is None else plain_text(expected),
        #: That the true Sharpe ratio is above zero.
        "skill_probability": None if found is None else probabilistic_sharpe(found, 0.0),
    }
