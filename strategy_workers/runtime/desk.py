"""The desk of one deployment: answers its strategy and collects what it decides. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from shared.models.orders import Side, TimeInForce
from shared.trading.amounts import shown
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.portfolio import Portfolio, WorkingOrder
from strategy_workers.runtime.snapshot import Outgoing, OutgoingCancel, OutgoingOrder
from strategy_workers.sdk.indicators import Indicator, IndicatorSet
from strategy_workers.sdk.strategy import StrategyError, exact

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = Decimal(0)


class Lots(NamedTuple):
    lot_size: Decimal
    tick_size: Decimal


class Signal(msgspec.Struct, frozen=True):
    """A decision to trade, and why."""

    symbol: str
    side: Side
    reason: str
    at: datetime


class Desk:
    """Implements `sdk.desk.Desk`.

    `begin` opens a moment of decision. The client order ids of what is ordered in it are made
    of its label and a running number: the same moment, worked through again, gives the same ids.
    """

    def __init__(
        self,
        order_id_prefix: str,
        market: MarketView,
        portfolio: Portfolio,
        lots: dict[str, Lots],
        log: Any,
    ) -> None:
        self.market = market
        self.portfolio = portfolio
        self.log = log
        self.outbox: list[Outgoing] = []
        self.signals: list[Signal] = []
        self._prefix = order_id_prefix
        self._lots = lots
        #: Of the moment; None where no orders can be sent.
        self.label: str | int | None = None
        self._number = 0
        self.at_ns = 0

    def begin(self, label: str | int, at_ns: int) -> None:
        self.label = label
        self._number = 0
        self.at_ns = at_ns
        self.clear()

    def clear(self) -> None:
        """Forget the decisions of the last moment: they are stored and sent."""
        self.outbox = []
        self.signals = []

    def end(self) -> None:
        """No orders until the next moment."""
        self.label = None

    # --- what it tells -------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.market.symbols

    @property
    def timeframe(self) -> Timeframe:
        return self.market.timeframe

    @property
    def now(self) -> datetime:
        return market_time(self.at_ns)

    @property
    def cash(self) -> Decimal:
        return self.portfolio.cash

    @property
    def buying_power(self) -> Decimal:
        reserved = sum(
            (
                order.open_qty * (order.limit_price or self.last_price(order.symbol) or Decimal(0))
                for order in self.portfolio.working.values()
                if order.side == "buy" and not order.cancelling
            ),
            Decimal(0),
        )
        return self.portfolio.cash - reserved

    @property
    def equity(self) -> Decimal:
        return self.portfolio.cash + sum(
            (
                holding.qty * (self.last_price(symbol) or holding.avg_price)
                for symbol, holding in self.portfolio.holdings.items()
            ),
            Decimal(0),
        )

    def position(self, symbol: str) -> Decimal:
        # As the portfolio says it; asked for at every candle.
        holding = self.portfolio.holdings.get(symbol)
        return holding.qty if holding else _ZERO

    def pending(self, symbol: str, side: Side) -> Decimal:
        return self.portfolio.pending(symbol, side)

    def last_price(self, symbol: str) -> Decimal | None:
        price = self.market.last_prices.get(symbol)
        return None if price is None else exact(price)

    def lot_size(self, symbol: str) -> Decimal:
        return self._known(symbol).lot_size

    def tick_size(self, symbol: str) -> Decimal:
        return self._known(symbol).tick_size

    def candles(self, symbol: str, timeframe: Timeframe | None) -> Sequence[Candle]:
        return self.market.history(symbol, timeframe)

    def indicator(
        self,
        make: Callable[[], Indicator],
        of: Callable[[Candle], float],
        timeframe: Timeframe | None,
    ) -> IndicatorSet:
        if self.label is not None:
            raise StrategyError("indicators are declared in on_start")
        return self.market.add_indicator(make, of, timeframe)

    # --- what it takes -------------------------------------------------------------------------

    def order(
        self,
        symbol: str,
        side: Side,
        qty: Decimal,
        limit_price: Decimal | None,
        time_in_force: TimeInForce,
        reason: str,
    ) -> str:
        if self.label is None:
            raise StrategyError("orders can't be sent from on_start")
        self._known(symbol)
        self._number += 1
        client_order_id = f"{self._prefix}-{self.label}-{self._number}"
        self.outbox.append(
            OutgoingOrder(client_order_id, symbol, side, qty, limit_price, time_in_force)
        )
        self.portfolio.working[client_order_id] = WorkingOrder(symbol, side, qty, limit_price)
        price = "market" if limit_price is None else shown(limit_price)
        why = storable(reason) or f"{side} {shown(qty)} {symbol} at {price}"
        self.signals.append(Signal(symbol, side, why, self.now))
        return client_order_id

    def cancel(self, symbol: str, side: Side | None, client_order_id: str | None) -> int:
        if self.label is None:
            raise StrategyError("orders can't be cancelled from on_start")
        asked = 0
        for name, order in self.portfolio.working.items():
            if (
                order.symbol == symbol
                and side in (None, order.side)
                and client_order_id in (None, name)
                and not order.cancelling
            ):
                order.cancelling = True
                self.outbox.append(OutgoingCancel(name))
                asked += 1
        return asked

    def _known(self, symbol: str) -> Lots:
        lots = self._lots.get(symbol)
        if lots is None:
            raise StrategyError(f"{symbol} is not a symbol of this deployment")
        return lots


def market_time(at_ns: int) -> datetime:
    """Cut to microseconds, which is what a `datetime` can hold."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def storable(text: str) -> str:
    """Without what Postgres' text can't hold: NULs and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
