"""The closing prices of orders that wait for a close. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import OrderId
from shared.trading.amounts import measured
from shared.trading.changes import WorkingOrder
from strategy_workers.runtime.desk import nanoseconds

Prints = Iterable[tuple[int, str, float, float]]


class ClosingPrices:
    """`moment` numbers the moments of the run."""

    def __init__(self, calendar: SessionCalendar) -> None:
        self._calendar = calendar
        #: Orders that wait, by the moment in which they were taken; and while there are such, the
        #: last print of each symbol: moment, time, price.
        self._waiting: dict[OrderId, int] = {}
        self._last: dict[str, tuple[int, int, float]] = {}

    @property
    def noting(self) -> bool:
        return bool(self._waiting)

    def wait(self, order_id: OrderId, moment: int) -> None:
        self._waiting[order_id] = moment

    def forget(self, order_id: OrderId) -> None:
        self._waiting.pop(order_id, None)

    def note(self, symbol: str, moment: int, at_ns: int, price: float) -> None:
        self._last[symbol] = (moment, at_ns, price)

    def noted(self, prints: Prints, moment: int) -> Prints:
        if not self._waiting:
            return prints
        kept = list(prints)
        for at_ns, symbol, price, _ in kept:
            self.note(symbol, moment, at_ns, price)
        return kept

    def price_for(self, working: WorkingOrder) -> Decimal | None:
        order = working.order
        assert order.expires_at is not None, "it waits for the close"
        end_ns = nanoseconds(order.expires_at)
        moment, at_ns, price = self._last.get(order.symbol, (0, 0, 0.0))
        since_ns = self._calendar.hours_at(end_ns - 1).from_ns
        if moment <= self._waiting[order.id] or at_ns < since_ns:
            return None
        return measured(price)
