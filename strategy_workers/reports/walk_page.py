"""A walk-forward as a page, and the rows that tables show of it."""

from typing import Any

from strategy_workers.reports.backtest_page import equity_line, monthly_profits
from strategy_workers.reports.charts import bar_chart, seamed_chart, utc_us
from strategy_workers.reports.figures import number, percent, settings_rows
from strategy_workers.reports.page import page, pairs, paragraph, section, table

WINDOW_HEADS = ("out of sample", "in Sharpe", "return", "drawdown", "Sharpe", "trades", "skill",
                "overfitting", "parameters")  # fmt: skip


def walk_page(title: str, report: dict[str, Any]) -> str:
    curve = equity_line("equity", report)
    seams = [utc_us(window["from"]) for window in report["windows"]]
    parts = [paragraph(f"Beware: {warning}.", "warning") for warning in report["warnings"]]
    parts += [
        section("Out of sample, all windows together", pairs(walk_rows(report))),
        section("Equity out of sample", seamed_chart(curve, seams)),
        section("Profit by month", bar_chart(monthly_profits(curve))),
        section("Windows", table(WINDOW_HEADS, window_rows(report))),
    ]
    for name, found in report["stability"].items():
        bars = [
            (str(place + 1), float(value))
            for place, value in enumerate(found["values"])
            if isinstance(value, int | float | str) and _is_number(value)
        ]
        parts.append(section(f"{name} by window", bar_chart(bars)))
    settings = report["settings"]
    whole = {key: each for key, each in settings.items() if key not in ("run", "space")}
    parts.append(
        section("Settings", pairs([*settings_rows(whole), *settings_rows(settings["run"])]))
    )
    return page(title, parts)


def walk_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    metrics = report["metrics"]
    return [
        ("windows", f"{len(report['windows'])} ({report['sat_out']} sat out)"),
        ("equity", report["equity"]),
        ("total return", percent(metrics["total_return_fraction"])),
        ("annual return", percent(metrics["annual_return_fraction"])),
        ("max drawdown", percent(metrics["max_drawdown_fraction"])),
        ("Sharpe", number(metrics["sharpe"])),
        ("Sortino", number(metrics["sortino"])),
        ("Calmar", number(metrics["calmar"])),
        ("trades", str(metrics["trades"])),
        ("win rate", percent(metrics["win_rate"])),
        ("profit factor", number(metrics["profit_factor"])),
        ("probability of skill", percent(metrics["skill_probability"])),
        ("efficiency", percent(report["efficiency_fraction"])),
        *[(f"{name}", _stability(found)) for name, found in report["stability"].items()],
    ]


def window_rows(report: dict[str, Any]) -> list[list[str]]:
    rows = []
    for window in report["windows"]:
        metrics, found = window["metrics"], window["overfitting"]
        inside = window["in_sample_metrics"]
        rows.append(
            [
                window["out_of_sample"],
                number(inside and inside["sharpe"]),
                percent(metrics["total_return_fraction"]),
                percent(metrics["max_drawdown_fraction"]),
                number(metrics["sharpe"]),
                str(metrics["trades"]),
                percent(found["deflated_sharpe"]),
                percent(found["overfitting_probability"]),
                " ".join(f"{name}={value}" for name, value in (window["parameters"] or {}).items())
                or "none",
            ]
        )
    return rows


def _stability(found: dict[str, Any]) -> str:
    kept = f"{found['distinct']} values, kept {percent(found['kept_fraction'])}"
    if found["deviation_fraction"] is None:
        return kept
    return f"{kept}, mean {found['mean']:.4g} ± {found['deviation_fraction']:.0%}"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return not isinstance(value, bool)
