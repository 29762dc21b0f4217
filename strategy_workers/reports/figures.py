"""The rows that tables, comparisons and pages show of a result (`backtest.json`)."""

from typing import Any

Rows = list[tuple[str, str]]


def result_rows(found: dict[str, Any]) -> Rows:
    metrics = found["metrics"]
    held = ", ".join(f"{qty} {symbol}" for symbol, qty in found["position"].items())
    days = metrics["max_drawdown_duration_s"] / 86_400
    return [
        ("from", found["first"]),
        ("to", found["last"]),
        ("read", f"{found['rows']} {found['settings']['source']}"),
        ("decided on", f"{found['candles']} candles"),
        ("orders", f"{found['orders']} ({found['rejected']} rejected, {found['refused']} refused)"),
        ("executions", str(found["execution_count"])),
        ("equity", found["equity"]),
        ("position", held or "flat"),
        ("fees", found["fees"]),
        *_lent(found),
        ("total return", percent(metrics["total_return_fraction"])),
        ("buy and hold", percent(metrics["buy_and_hold_fraction"])),
        ("annual return", percent(metrics["annual_return_fraction"])),
        (
            "max drawdown",
            f"{metrics['max_drawdown']} ({metrics['max_drawdown_fraction']:.2%}),"
            f" longest {days:.1f} days",
        ),
        ("Sharpe", number(metrics["sharpe"])),
        ("Sortino", number(metrics["sortino"])),
        ("Calmar", number(metrics["calmar"])),
        ("trades", str(metrics["trades"])),
        ("win rate", percent(metrics["win_rate"])),
        ("profit factor", number(metrics["profit_factor"])),
        ("expectancy", "undefined" if metrics["expectancy"] is None else metrics["expectancy"]),
        ("exposure", percent(metrics["exposure_fraction"])),
        ("executions digest", found["executions_digest"]),
    ]


def _lent(found: dict[str, Any]) -> Rows:
    """Of a margin account."""
    if not found["settings"].get("margin"):
        return []
    return [
        ("interest", found["interest"]),
        ("margin calls", f"{found['margin_calls']} ({found['liquidations']} rounds of closing)"),
    ]


def settings_rows(settings: dict[str, Any]) -> Rows:
    """One line for each; parameters, terms and files line by line."""
    rows: Rows = []
    for name, value in settings.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{key}", _text(each)) for key, each in value.items()]
        elif name == "files":
            rows += [(f"file {one['name']}", one["sha256"]) for one in value]
        elif isinstance(value, list):
            rows.append((name, ", ".join(map(str, value))))
        else:
            rows.append((name, str(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return str(value)


def percent(fraction: float | None) -> str:
    return "undefined" if fraction is None else f"{fraction:.2%}"


def number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
