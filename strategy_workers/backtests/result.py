"""What is said of a finished backtest, and everything needed to run it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.metadata import version
from operator import attrgetter
from typing import Any

from shared.metrics.annual_return import annual_return_fraction
from shared.metrics.calmar import calmar
from shared.metrics.drawdown import max_drawdown
from shared.metrics.executions import Fill, Point
from shared.metrics.expectancy import expectancy
from shared.metrics.profit_factor import profit_factor
from shared.metrics.sharpe import sharpe
from shared.metrics.sortino import sortino
from shared.metrics.total_return import total_return_fraction
from shared.metrics.trades import Trade, round_trips
from shared.metrics.win_rate import win_rate
from shared.models.margin import margin_terms_document
from shared.models.orders import Execution
from shared.trading.amounts import ZERO, plain
from shared.trading.paper_terms import paper_terms_document
from strategy_workers.backtests.curve import EquityCurve
from strategy_workers.backtests.digest import executions_digest
from strategy_workers.backtests.outcome import Closes, Gap, Outcome
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.versions import code_version, fingerprint, strategy_version
from strategy_workers.runtime.desk import market_time

CURVE_POINTS = 2000


@dataclass(frozen=True)
class Metrics:
    """Fractions are of 1; None where a figure is undefined."""

    total_return_fraction: float | None
    annual_return_fraction: float | None
    max_drawdown: Decimal
    max_drawdown_fraction: float
    max_drawdown_duration_s: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    #: Closed round trips.
    trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: Decimal | None
    exposure_fraction: float
    #: Of buying all symbols equally at their first close and holding them, without costs.
    buy_and_hold_fraction: float | None


@dataclass(frozen=True)
class Measured:
    metrics: Metrics
    trades: list[Trade]
    #: What drawdown and daily returns of the whole curve come from.
    telling: list[Point]
    #: At most `CURVE_POINTS`.
    curve: list[Point]


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    outcome: Outcome
    metrics: Metrics
    trades: list[Trade]
    #: At most `CURVE_POINTS`.
    curve: list[Point]


def judged(plan: Plan, outcome: Outcome) -> Result:
    found = measured_run(plan, outcome)
    return Result(
        settings_of(plan, outcome.symbols), outcome, found.metrics, found.trades, found.curve
    )


def measured_run(plan: Plan, outcome: Outcome) -> Measured:
    fills = [fill_of(execution) for execution in outcome.executions]
    trades = round_trips(fills)
    capital = plan.terms.capital
    if any(len(one.end_ns) for one in outcome.closes.values()):
        known = {name: one for name, one in outcome.closes.items() if len(one.end_ns)}
        flows = sorted([*fills, *_charges(outcome)], key=attrgetter("at_us"))
        curve = EquityCurve(capital, flows, known, outcome.first_ns).curve(CURVE_POINTS)
        telling, shown, exposure = curve.telling, curve.shown, curve.exposure
    else:
        telling, shown, exposure = [Point(outcome.first_ns // 1000, capital)], [], 0.0
    end = Point(outcome.last_ns // 1000, outcome.equity)
    if end.at_us > telling[-1].at_us:
        # What came after the last candle of the timeframe.
        telling, shown = [*telling, end], [*shown, end]
    drawdown = max_drawdown(telling)
    assert drawdown is not None, "there is always the first point"
    total = total_return_fraction(capital, outcome.equity)
    annual = annual_return_fraction(total, (outcome.last_ns - outcome.first_ns) / 1e9)
    metrics = Metrics(
        total_return_fraction=total,
        annual_return_fraction=annual,
        max_drawdown=drawdown.amount,
        max_drawdown_fraction=drawdown.fraction,
        max_drawdown_duration_s=drawdown.duration_s,
        sharpe=sharpe(telling),
        sortino=sortino(telling),
        calmar=calmar(annual, drawdown.fraction),
        trades=len(trades),
        win_rate=win_rate(trades),
        profit_factor=profit_factor(trades),
        expectancy=expectancy(trades),
        exposure_fraction=exposure,
        buy_and_hold_fraction=_buy_and_hold(outcome.closes),
    )
    return Measured(metrics, trades, telling, shown)


def fill_of(execution: Execution) -> Fill:
    return Fill(
        symbol=execution.symbol,
        qty=execution.qty if execution.side == "buy" else -execution.qty,
        price=execution.price,
        fee=execution.fee,
        realized_pnl=execution.realized_pnl,
        at_us=round(execution.at.timestamp() * 1_000_000),
    )


def _charges(outcome: Outcome) -> list[Fill]:
    """What they do to cash, as fills of nothing; before anything of their day."""
    symbol = outcome.symbols[0]
    return [
        Fill(symbol, ZERO, ZERO, amount, ZERO, round(at.timestamp() * 1_000_000) - 1)
        for at, amount in outcome.charges
    ]


def _buy_and_hold(closes: dict[str, Closes]) -> float | None:
    returns = [one.close[-1] / one.close[0] - 1 for one in closes.values() if len(one.close)]
    return sum(returns) / len(returns) if returns else None


# --- to run it again ---------------------------------------------------------------------------


def settings_of(plan: Plan, symbols: Sequence[str]) -> dict[str, Any]:
    terms: dict[str, Any] = {
        name: plain_text(value) if isinstance(value, Decimal) else value
        for name, value in vars(plan.terms).items()
    }
    terms["paper_terms"] = paper_terms_document(terms.pop("paper"))
    terms["margin"] = margin_terms_document(terms["margin"])
    return {
        "platform_version": version("trading-platform"),
        "code_version": code_version(),
        "strategy": plan.strategy.name,
        "strategy_version": strategy_version(plan.strategy),
        "parameters": plan.strategy.encode_parameters(plan.parameters),
        "timeframe": plan.timeframe,
        "timerange": str(plan.timerange),
        "source": plan.source,
        "symbols": list(symbols),
        "files": [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": fingerprint(path)}
            for path in plan.files
        ],
        **terms,
    }


# --- as JSON -----------------------------------------------------------------------------------


def plain_text(amount: Decimal) -> str:
    return f"{plain(amount):f}"


def time_text(at_us: int) -> str:
    return market_time(at_us * 1000).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def summary(result: Result) -> dict[str, Any]:
    """Amounts are decimal text, ratios numbers or null."""
    outcome, metrics = result.outcome, asdict(result.metrics)
    return {
        "settings": result.settings,
        "first": time_text(outcome.first_ns // 1000),
        "last": time_text(outcome.last_ns // 1000),
        "rows": outcome.rows,
        "candles": outcome.candles,
        "signals": outcome.signals,
        "orders": outcome.orders,
        "execution_count": len(outcome.executions),
        "rejected": outcome.rejected,
        "refused": outcome.refused,
        "cash": plain_text(outcome.cash),
        "equity": plain_text(outcome.equity),
        "realized_pnl": plain_text(outcome.realized_pnl),
        "fees": plain_text(outcome.fees),
        "interest": plain_text(sum((amount for _, amount in outcome.charges), ZERO)),
        "margin_calls": outcome.margin_calls,
        "liquidations": outcome.liquidations,
        "position": {name: plain_text(qty) for name, (qty, _) in outcome.positions.items()},
        "metrics": {
            name: plain_text(value) if isinstance(value, Decimal) else value
            for name, value in metrics.items()
        },
        "gaps": _gaps(outcome.gaps),
    }


def whole_result(result: Result) -> dict[str, Any]:
    """Summary, digest, and all details."""
    digest = executions_digest(execution_rows(result.outcome.executions))
    return {**summary(result), "executions_digest": digest, **details(result)}


def details(result: Result) -> dict[str, Any]:
    return {
        "trades": [
            {
                "symbol": trade.symbol,
                "opened_at": time_text(trade.opened_at_us),
                "closed_at": time_text(trade.closed_at_us),
                "profit": plain_text(trade.profit),
            }
            for trade in result.trades
        ],
        "executions": execution_rows(result.outcome.executions),
        "plots": [
            {
                "name": series.name,
                "symbol": series.symbol,
                "points": [[time_text(at_ns // 1000), value] for at_ns, value in points],
            }
            for series, points in result.outcome.plots.items()
        ],
        "equity_curve": [[time_text(at_us), plain_text(equity)] for at_us, equity in result.curve],
    }


def execution_rows(executions: Sequence[Execution]) -> list[dict[str, Any]]:
    return [
        {
            "seq": one.seq,
            "at": one.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "symbol": one.symbol,
            "side": one.side,
            "qty": plain_text(one.qty),
            "price": plain_text(one.price),
            "fee": plain_text(one.fee),
            "realized_pnl": plain_text(one.realized_pnl),
        }
        for one in executions
    ]


def _gaps(gaps: Sequence[Gap]) -> dict[str, Any]:
    """How many, how long together, and the longest ones."""
    longest = sorted(gaps, key=lambda gap: gap.start_ns - gap.end_ns)[:10]
    return {
        "count": len(gaps),
        "missing": sum(gap.missing for gap in gaps),
        "longest": [
            {
                "symbol": gap.symbol,
                "from": time_text(gap.start_ns // 1000),
                "to": time_text(gap.end_ns // 1000),
                "missing": gap.missing,
            }
            for gap in longest
        ],
    }
