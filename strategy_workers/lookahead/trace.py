"""What a strategy heard and decided in one run, noted between it and its desk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from shared.models.market import Candle
from shared.models.orders import Side
from strategy_workers.sdk import Strategy
from strategy_workers.sdk.desk import Desk
from strategy_workers.sdk.orders import Revision, Ticket


class Heard(NamedTuple):
    end_ns: int
    symbol: str
    timeframe: str


class Decision(NamedTuple):
    at_ns: int
    what: str


@dataclass
class Trace:
    heard: list[Heard] = field(default_factory=list)
    #: Until `on_stop`: those of the last moment of a run are no decision on its market.
    decisions: list[Decision] = field(default_factory=list)
    ended: bool = False

    def moments(self) -> list[int]:
        """When candles were complete, in time order."""
        return sorted({each.end_ns for each in self.heard})

    def until(self, at_ns: int) -> Sequence[Decision]:
        return [each for each in self.decisions if each.at_ns <= at_ns]


def traced(strategy: type[Strategy], trace: Trace) -> type[Strategy]:
    """The same strategy, whose runs are noted in `trace`."""

    class Traced(strategy):  # type: ignore[misc, valid-type]
        def attach(self, desk: Desk) -> None:
            super().attach(cast("Desk", _Noting(desk, trace)))

        def on_candle(self, candle: Candle) -> None:
            trace.heard.append(Heard(candle.end_ns, str(candle.symbol), candle.timeframe))
            super().on_candle(candle)

        def on_stop(self) -> None:
            trace.ended = True
            super().on_stop()

    return Traced


class _Noting:
    """A desk that notes what is decided at it."""

    def __init__(self, desk: Any, trace: Trace) -> None:
        self._desk = desk
        self._trace = trace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def order(self, ticket: Ticket) -> str:
        self._note(_told(ticket))
        name: str = self._desk.order(ticket)
        return name

    def replace(self, client_order_id: str, revision: Revision) -> str | None:
        name: str | None = self._desk.replace(client_order_id, revision)
        if name is not None:
            self._note(f"replace {client_order_id}: {revision}")
        return name

    def cancel(self, symbol: str, side: Side | None, client_order_id: str | None) -> int:
        asked: int = self._desk.cancel(symbol, side, client_order_id)
        if asked:
            self._note(f"cancel {asked} in {symbol}")
        return asked

    def _note(self, what: str) -> None:
        if not self._trace.ended:
            self._trace.decisions.append(Decision(self._desk.at_ns, what))


def _told(ticket: Ticket) -> str:
    prices = {
        "limit": ticket.limit_price,
        "stop": ticket.stop_price,
        "trail": ticket.trail_price,
        "trail percent": ticket.trail_percent,
        "until": ticket.expires_at,
        "take profit": ticket.take_profit,
        "stop loss": ticket.stop_loss,
        "extended hours": ticket.extended_hours,
    }
    given = [f"{name} {value}" for name, value in prices.items() if value is not None]
    words = (ticket.side, str(ticket.qty), ticket.symbol, ticket.type, ticket.time_in_force)
    return " ".join([*words, *given, f"({ticket.reason})" if ticket.reason else ""]).rstrip()
