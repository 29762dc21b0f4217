"""One account's performance, computed from its records and the candles' closes. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from analytics_service.performance.records import Holding, Records
from shared.metrics.downsample import downsampled
from shared.metrics.drawdown import Drawdown, max_drawdown
from shared.metrics.equity_curve import Closes, Worth, worth
from shared.metrics.executions import CashMove, Point
from shared.metrics.profit_factor import profit_factor
from shared.metrics.sharpe import sharpe
from shared.metrics.time_weighted import profit_curve, unit_curve
from shared.metrics.total_return import total_return_fraction
from shared.metrics.trades import round_trips
from shared.metrics.win_rate import win_rate
from shared.trading.amounts import ZERO, exactly, measured, rounded


@dataclass(frozen=True)
class Performance:
    capital: Decimal
    #: Paid in less taken out since.
    net_flows: Decimal
    #: Interest, dividends and adjustments.
    income: Decimal
    cash: Decimal
    equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    #: What rates of exchange, and their spread, have made of cash and positions.
    currency_pnl: Decimal
    total_return_fraction: float | None
    drawdown: Drawdown | None
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    #: Closed round trips.
    trades: int
    executions: int
    curve: list[Point]
    #: Symbols without candles: their points are the executions' own prices.
    marked_at_execution: list[str]


@exactly
def performance(records: Records, closes: Mapping[str, Closes], max_points: int) -> Performance:
    """Metrics are of the whole curve; the curve in the answer has at most `max_points`.

    What was paid in or taken out is neither profit nor loss: return, Sharpe ratio and fractions are
    time-weighted, and a drawdown in money is of profits.
    """
    prices = {one.symbol: _last_price(one, records, closes) for one in records.holdings}
    values = {one.symbol: rounded(one.qty * prices[one.symbol]) for one in records.holdings}
    equity = records.cash + sum(values.values(), ZERO)
    curve = _curve_to(equity, records, closes)
    units = unit_curve(curve)
    cash = set() if records.abroad is None else records.abroad.cash_names
    trades = round_trips(
        [
            each
            for each in records.movements
            if not isinstance(each, CashMove) and each.symbol not in cash
        ]
    )
    unrealized = sum((values[one.symbol] - one.cost for one in records.holdings), ZERO)
    made = records.income + records.realized_pnl + unrealized - records.fees
    return Performance(
        capital=records.capital,
        net_flows=records.net_flows,
        income=records.income,
        cash=records.cash,
        equity=equity,
        realized_pnl=records.realized_pnl,
        unrealized_pnl=unrealized,
        fees=records.fees,
        currency_pnl=ZERO
        if records.abroad is None
        else equity - records.capital - records.net_flows - made,
        total_return_fraction=total_return_fraction(
            records.capital, units[-1].equity if units else equity
        ),
        drawdown=_drawdown(units, profit_curve(curve)),
        sharpe=sharpe(units),
        win_rate=win_rate(trades),
        profit_factor=profit_factor(trades),
        trades=len(trades),
        executions=len(records.fills),
        curve=downsampled([Point(each.at_us, each.equity) for each in curve], max_points),
        marked_at_execution=sorted({fill.symbol for fill in records.fills} - closes.keys()),
    )


def _last_price(holding: Holding, records: Records, closes: Mapping[str, Closes]) -> Decimal:
    """What the order processor marks with; else the last close, else the last execution."""
    if holding.last_price is not None:
        return holding.last_price
    if holding.symbol in closes:
        return measured(closes[holding.symbol][-1][1])
    return next(fill.price for fill in reversed(records.fills) if fill.symbol == holding.symbol)


def _drawdown(units: Sequence[Point], profits: Sequence[Point]) -> Drawdown | None:
    """Fraction and duration of the units, the amount in money."""
    relative, absolute = max_drawdown(units), max_drawdown(profits)
    if relative is None or absolute is None:
        return None
    return replace(relative, amount=absolute.amount)


def _curve_to(equity: Decimal, records: Records, closes: Mapping[str, Closes]) -> list[Worth]:
    """The curve, ending where the account stands now."""
    curve = worth(records.capital, records.movements, closes)
    if curve and curve[-1].equity != equity:
        # The last prints came after the last close, or at another price than the last fill.
        last = curve[-1]
        curve.append(Worth(max(last.at_us, end_us(records)), equity, last.paid_in))
    return curve


def end_us(records: Records) -> int:
    """How far the curve reaches: to the last price that moved what the account holds."""
    priced = [one.priced_at_us for one in records.holdings if one.priced_at_us is not None]
    return max([records.movements[-1].at_us, *priced])
