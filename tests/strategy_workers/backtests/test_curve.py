"""The curve's chosen points tell the same as all points would."""

from array import array
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.metrics.drawdown import max_drawdown
from shared.metrics.equity_curve import equity_curve
from shared.metrics.executions import Fill
from shared.metrics.sharpe import sharpe
from shared.metrics.sortino import sortino
from strategy_workers.backtests.curve import EquityCurve
from strategy_workers.backtests.outcome import Closes

HOUR_US = 3_600_000_000
CAPITAL = Decimal(1000)

cents = st.integers(500, 2000).map(lambda number: number / 100)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Fill], dict[str, list[float]]]:
    count = draw(st.integers(2, 80))
    closes = {
        symbol: draw(st.lists(cents, min_size=count, max_size=count)) for symbol in ("A", "B")
    }
    fills, held = [Fill("A", Decimal(1), Decimal(10), Decimal(0), Decimal(0), 0)], {"A": 1, "B": 0}
    for hour in range(1, count):
        if draw(st.booleans()):
            symbol = draw(st.sampled_from(["A", "B"]))
            qty = -held[symbol] if held[symbol] else draw(st.integers(1, 5))
            held[symbol] += qty
            price = Decimal(str(draw(cents)))
            fills.append(
                Fill(symbol, Decimal(qty), price, Decimal("0.01"), Decimal(0), hour * HOUR_US)
            )
    return fills, closes


def _closes(prices: list[float]) -> Closes:
    ends = [(n + 1) * HOUR_US * 1000 for n in range(len(prices))]
    return Closes(array("q", ends), array("d", prices))


@settings(deadline=None)
@given(histories())
def test_the_telling_points_have_the_metrics_of_the_whole_curve(
    history: tuple[list[Fill], dict[str, list[float]]],
) -> None:
    fills, prices = history
    closes = {symbol: _closes(column) for symbol, column in prices.items()}
    curve = EquityCurve(CAPITAL, fills, closes, 0).curve(max_points=20)
    marks = {
        symbol: [(end // 1000, close) for end, close in zip(one.end_ns, one.close, strict=True)]
        for symbol, one in closes.items()
    }
    whole = equity_curve(CAPITAL, fills, marks)
    assert set(curve.telling) <= set(whole)
    assert set(curve.shown) <= set(whole)
    assert len(curve.shown) <= max(20, 4)
    assert curve.shown[-1] == curve.telling[-1] == whole[-1]
    assert max_drawdown(curve.telling) == max_drawdown(whole)
    assert sharpe(curve.telling) == pytest.approx(sharpe(whole))
    assert sortino(curve.telling) == pytest.approx(sortino(whole))


def test_a_short_curve_is_shown_whole() -> None:
    fills = [Fill("A", Decimal(10), Decimal(10), Decimal(0), Decimal(0), 0)]
    curve = EquityCurve(CAPITAL, fills, {"A": _closes([11.0, 9.0, 12.0])}, 0).curve(100)
    assert [point.equity for point in curve.shown] == [1000, 1010, 990, 1020]


def test_exposure_is_the_share_of_time_with_a_position() -> None:
    fills = [
        Fill("A", Decimal(10), Decimal(10), Decimal(0), Decimal(0), HOUR_US),
        Fill("A", Decimal(-10), Decimal(10), Decimal(0), Decimal(0), 2 * HOUR_US),
    ]
    curve = EquityCurve(CAPITAL, fills, {"A": _closes([10.0] * 4)}, 0).curve(100)
    assert curve.exposure == 0.25


def test_without_fills_equity_is_the_capital() -> None:
    curve = EquityCurve(CAPITAL, [], {"A": _closes([10.0] * 50)}, 0).curve(10)
    assert {point.equity for point in curve.shown} == {CAPITAL}
    assert curve.exposure == 0
