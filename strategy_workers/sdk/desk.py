"""What a strategy stands on: its runtime, as the strategy sees it. No I/O, no clock of its own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from shared.models.orders import Side, TimeInForce
from strategy_workers.sdk.indicators import Indicator, IndicatorSet


class Desk(Protocol):
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def timeframe(self) -> Timeframe: ...
    @property
    def now(self) -> datetime: ...
    @property
    def cash(self) -> Decimal: ...
    @property
    def equity(self) -> Decimal: ...
    @property
    def buying_power(self) -> Decimal: ...
    @property
    def log(self) -> Any: ...

    def position(self, symbol: str) -> Decimal: ...
    def pending(self, symbol: str, side: Side) -> Decimal: ...
    def last_price(self, symbol: str) -> Decimal | None: ...
    def lot_size(self, symbol: str) -> Decimal: ...
    def tick_size(self, symbol: str) -> Decimal: ...
    def candles(self, symbol: str, timeframe: Timeframe | None) -> Sequence[Candle]: ...

    def indicator(
        self,
        make: Callable[[], Indicator],
        of: Callable[[Candle], float],
        timeframe: Timeframe | None,
    ) -> IndicatorSet: ...

    def order(
        self,
        symbol: str,
        side: Side,
        qty: Decimal,
        limit_price: Decimal | None,
        time_in_force: TimeInForce,
        reason: str,
    ) -> str: ...

    def cancel(self, symbol: str, side: Side | None, client_order_id: str | None) -> int: ...
