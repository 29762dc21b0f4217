"""What a demo found, and how it is shown."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class DemoReport:
    """Money and quantities are decimal text, ratios are numbers or None where undefined."""

    ticks: int
    #: Timeframe → candles built.
    candles: dict[str, int]
    signals: int
    orders: int
    executions: int
    #: Symbol → quantity held at the end; flat ones are left out.
    position: dict[str, str]
    cash: str
    equity: str
    realized_pnl: str
    fees: str
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    win_rate: float | None
    websocket_messages: int
    #: Of the replay alone.
    duration_s: float
    executions_digest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        candles = ", ".join(f"{count} × {name}" for name, count in self.candles.items() if count)
        held = ", ".join(f"{qty} {symbol}" for symbol, qty in self.position.items())
        rate = self.ticks / self.duration_s if self.duration_s else 0.0
        return [
            ("ticks", f"{self.ticks} in {self.duration_s:.2f} s ({rate:,.0f}/s)"),
            ("candles", candles or "none"),
            ("signals", str(self.signals)),
            ("orders", str(self.orders)),
            ("executions", str(self.executions)),
            ("position", held or "flat"),
            ("cash", self.cash),
            ("equity", self.equity),
            ("realized profit", self.realized_pnl),
            ("fees", self.fees),
            ("total return", _percent(self.total_return)),
            ("max drawdown", _percent(self.max_drawdown)),
            ("Sharpe", "undefined" if self.sharpe is None else f"{self.sharpe:.2f}"),
            ("win rate", _percent(self.win_rate)),
            ("websocket messages", str(self.websocket_messages)),
            ("executions digest", self.executions_digest),
        ]


def _percent(fraction: float | None) -> str:
    return "undefined" if fraction is None else f"{fraction:.2%}"
