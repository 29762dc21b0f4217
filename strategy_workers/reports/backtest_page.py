"""One backtest, or several side by side, as a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from strategy_workers.reports.charts import Line, bar_chart, histogram, time_chart, utc_us
from strategy_workers.reports.figures import result_rows, settings_rows
from strategy_workers.reports.page import page, pairs, paragraph, section, table

_MOST_TRADES = 500


def backtest_page(title: str, result: dict[str, Any]) -> str:
    curve = equity_line("equity", result)
    trades = result["trades"]
    profits = [float(trade["profit"]) for trade in trades]
    shown = trades[-_MOST_TRADES:]
    gaps = result["gaps"]
    parts = [
        paragraph(_gap_sentence(gaps), "warning") if gaps["count"] else "",
        section("Result", pairs(result_rows(result))),
        section("Equity", time_chart([curve])),
        section("Drawdown", time_chart([_drawdown(curve)], height=180, percent=True, filled=True)),
        *_plots(result),
        section("Profit by month", bar_chart(monthly_profits(curve))),
        section("Trades by profit", bar_chart(histogram(profits))),
        section(
            "Trades",
            paragraph(f"The last {len(shown)} of {len(trades)}."),
            table(
                ("symbol", "opened", "closed", "profit"),
                [
                    (one["symbol"], one["opened_at"], one["closed_at"], one["profit"])
                    for one in shown
                ],
            ),
        ),
        section("Settings", pairs(settings_rows(result["settings"]))),
    ]
    return page(title, parts)


def comparison_page(title: str, results: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Each with its name."""
    names = [name for name, _ in results]
    parts = [
        section("Equity", time_chart([equity_line(name, result) for name, result in results])),
        section("Results", table(("", *names), side_by_side([result for _, result in results]))),
        section("What differs", table(("", *names), differences([one for _, one in results]))),
    ]
    return page(title, parts)


def side_by_side(results: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    columns = [result_rows(result) for result in results]
    return [(rows[0][0], *(value for _, value in rows)) for rows in zip(*columns, strict=True)]


def differences(results: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The settings in which the results aren't all alike."""
    columns = [dict(settings_rows(result["settings"])) for result in results]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, "") for column in columns)) for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def equity_line(name: str, result: dict[str, Any]) -> Line:
    points = [(utc_us(at), float(equity)) for at, equity in result["equity_curve"]]
    return Line(name, [at for at, _ in points], [equity for _, equity in points])


def _plots(result: dict[str, Any]) -> list[str]:
    """A chart of what the strategy drew beside each symbol, and of what it drew beside none."""
    by_symbol: dict[str, list[Line]] = {}
    for one in result.get("plots", ()):
        points = [(utc_us(at), value) for at, value in one["points"]]
        line = Line(one["name"], [at for at, _ in points], [value for _, value in points])
        by_symbol.setdefault(one["symbol"] or "", []).append(line)
    return [
        section(f"Plots {symbol}".rstrip(), time_chart(lines))
        for symbol, lines in by_symbol.items()
    ]


def monthly_profits(curve: Line) -> list[tuple[str, float]]:
    """What each UTC month brought, in money."""
    points = zip(curve.xs, curve.ys, strict=True)
    bars, before = [], curve.ys[0] if curve.ys else 0.0
    for month, within in groupby(points, key=lambda point: _month(point[0])):
        last = [equity for _, equity in within][-1]
        bars.append((month, round(last - before, 2)))
        before = last
    return bars


def _drawdown(curve: Line) -> Line:
    peak, falls = float("-inf"), []
    for equity in curve.ys:
        peak = max(peak, equity)
        falls.append(equity / peak - 1 if peak > 0 else 0.0)
    return Line("drawdown", curve.xs, falls)


def _gap_sentence(gaps: dict[str, Any]) -> str:
    longest = gaps["longest"][0]
    return (
        f"The data has {gaps['count']} gaps, {gaps['missing']} intervals together; the longest"
        f" from {longest['from']} to {longest['to']}."
    )


def _month(at_us: float) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m")
