"""The desk of a strategy in its own process."""

from datetime import datetime, timedelta
from typing import Any

from shared.models.margin import MarginTerms
from shared.models.orders import Side
from strategy_workers.runtime.desk import Desk, Lots
from strategy_workers.runtime.lines import Level
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.plots import SeriesName
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.sandbox import frames
from strategy_workers.sdk import StrategyError
from strategy_workers.sdk.orders import Revision, Ticket


class _Silence:
    """The service's log is not here: lines go to the deployment's own."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_fields: self


class _Unbounded:
    def add(self, series: SeriesName, at_ns: int, value: float) -> bool:
        del series, at_ns, value
        return True


class RecordingDesk(Desk):
    """Answers as the deployment's own desk does, and notes what was asked for."""

    def __init__(
        self,
        prefix: str,
        market: MarketView,
        lots: dict[str, Lots],
        margin: MarginTerms | None,
    ) -> None:
        super().__init__(prefix, market, Portfolio(), lots, margin, _Silence())
        self._actions: list[frames.Action] = []
        self._asked = 0
        self._notes = 0
        self._plotted = 0
        self.plots = _Unbounded()  # the platform counts them

    def at(self, hook: frames.Hook) -> None:
        self.begin(hook.label, hook.at_ns)
        self.portfolio = hook.portfolio
        self.number = hook.number
        self.refusals = []

    def take_actions(self) -> list[frames.Action]:
        actions, self._actions = self._actions, []
        self._asked = self._notes = self._plotted = 0
        return actions

    def order(self, ticket: Ticket) -> str:
        self._count()
        name = super().order(ticket)
        self._actions.append(frames.SendOrder(name, ticket))
        return name

    def replace(self, client_order_id: str, revision: Revision) -> str | None:
        self._count()
        name = super().replace(client_order_id, revision)
        self._actions.append(frames.ReplaceOrder(client_order_id, revision, name))
        return name

    def cancel(self, symbol: str, side: Side | None, client_order_id: str | None) -> int:
        self._count()
        asked = super().cancel(symbol, side, client_order_id)
        self._actions.append(frames.CancelOrders(symbol, side, client_order_id))
        return asked

    def call_at(self, name: str, at: datetime) -> None:
        self._count()
        super().call_at(name, at)
        self.timers.end(name)  # the platform keeps them
        self._actions.append(frames.CallAt(name, at))

    def call_every(self, name: str, every: timedelta) -> None:
        self._count()
        super().call_every(name, every)
        self.timers.end(name)
        self._actions.append(frames.CallEvery(name, every))

    def call_off(self, name: str) -> None:
        self._count()
        super().call_off(name)
        self._actions.append(frames.CallOff(name))

    def plot(self, name: str, value: Any, symbol: str | None) -> None:
        self._plotted += 1
        super().plot(name, value, symbol)
        if self._plotted <= frames.MOST_PLOTS:
            self._actions.append(frames.Plot(name, float(value), symbol))

    def note(self, level: Level, message: str, fields: dict[str, str]) -> None:
        self._notes += 1
        if self._notes < frames.MOST_NOTES:
            self._actions.append(frames.Note(level, message, fields))
        elif self._notes == frames.MOST_NOTES:
            told = {"beyond": str(frames.MOST_NOTES)}
            self._actions.append(frames.Note("warning", "lines_left_out", told))

    def _count(self) -> None:
        self._asked += 1
        if self._asked > frames.MOST_ORDERS:
            raise StrategyError(
                f"one hook can ask for {frames.MOST_ORDERS} orders, cancels and timers, not more"
            )
