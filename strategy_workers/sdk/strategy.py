"""The class that a strategy author extends. It never sees asyncio, Redis or SQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, ClassVar, cast

from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from shared.models.orders import Side, TimeInForce
from strategy_workers.sdk.desk import Desk
from strategy_workers.sdk.indicators import Indicator, IndicatorSet, close_of
from strategy_workers.sdk.orders import OrderEvent
from strategy_workers.sdk.parameters import (
    FieldError,
    InvalidParametersError,
    Parameter,
    ParameterError,
)

Quantity = Decimal | int | float


class StrategyError(Exception):
    """A strategy asked for what makes no sense, such as an order of zero shares."""


class _Nowhere:
    """Stands for the desk of a strategy that isn't running."""

    def __getattr__(self, _name: str) -> Any:
        raise StrategyError("the strategy isn't running: this is for its hooks")


_NOWHERE = _Nowhere()


class Strategy:
    """Extend it, name it, declare parameters, and write the hooks that you need.

    What `on_start` sets up must depend on the parameters alone: it runs again whenever
    another worker takes the deployment over. What must survive that goes into `self.state`,
    a dict of JSON values.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    #: Timeframes that `on_candle` hears besides the deployment's own.
    timeframes: tuple[Timeframe, ...] = ()
    #: Candles kept per symbol and timeframe for `candles`; a live run loads as many beforehand.
    warmup: int = 0

    def __init__(self, parameters: Mapping[str, object]) -> None:
        """`parameters` are complete and checked: what `parse_parameters` returned."""
        self.parameters: dict[str, Any] = dict(parameters)
        self.state: dict[str, Any] = {}
        self._on: Desk = cast("Desk", _NOWHERE)

    # --- hooks ---------------------------------------------------------------------------------

    def check_parameters(self) -> None:
        """Raise ParameterError when valid parameters don't go together."""

    def on_start(self) -> None:
        """Declare indicators. No orders here."""

    def on_candle(self, candle: Candle) -> None:
        """A candle of the deployment's symbols and timeframes is complete."""

    def on_order(self, event: OrderEvent) -> None:
        """Something happened to an order of this deployment."""

    def on_stop(self) -> None:
        """The last words: orders sent here outlive the deployment; working ones are cancelled."""

    # --- the market ----------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._on.symbols

    @property
    def timeframe(self) -> Timeframe:
        """The deployment's own."""
        return self._on.timeframe

    @property
    def now(self) -> datetime:
        """Market time of the moment that is being decided on."""
        return self._on.now

    def candles(self, symbol: str, timeframe: Timeframe | None = None) -> Sequence[Candle]:
        """The last `warmup` completed candles (at least one), oldest first."""
        return self._on.candles(symbol, timeframe)

    def last_price(self, symbol: str) -> Decimal | None:
        """Close of the last completed candle; None before the first."""
        return self._on.last_price(symbol)

    def indicator(
        self,
        kind: Callable[..., Indicator],
        *arguments: Any,
        of: Callable[[Candle], float] = close_of,
        timeframe: Timeframe | None = None,
    ) -> IndicatorSet:
        """`kind(*arguments)` for every symbol, fed with `of` each candle. For `on_start`."""
        return self._on.indicator(lambda: kind(*arguments), of, timeframe)

    # --- the account ---------------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        return self._on.cash

    @property
    def buying_power(self) -> Decimal:
        """Cash less what this deployment's working buys will take (at limit or last price)."""
        return self._on.buying_power

    @property
    def equity(self) -> Decimal:
        """Cash plus positions, at last prices where the deployment has them, else at cost."""
        return self._on.equity

    def position(self, symbol: str) -> Decimal:
        """What the account holds, whoever bought it. Changes when fills come in, not before."""
        return self._on.position(symbol)

    def pending(self, symbol: str) -> Decimal:
        """Open quantity of this deployment's working orders, buys less sells."""
        return self._on.pending(symbol, "buy") - self._on.pending(symbol, "sell")

    def lot_size(self, symbol: str) -> Decimal:
        return self._on.lot_size(symbol)

    def tick_size(self, symbol: str) -> Decimal:
        return self._on.tick_size(symbol)

    def whole_lots(self, symbol: str, qty: Quantity) -> Decimal:
        """`qty` rounded down to what can be traded."""
        lot = self.lot_size(symbol)
        return (exact(qty) / lot).to_integral_value(ROUND_DOWN) * lot

    # --- orders --------------------------------------------------------------------------------

    def buy(
        self,
        symbol: str,
        qty: Quantity,
        limit_price: Quantity | None = None,
        *,
        time_in_force: TimeInForce = "gtc",
        reason: str = "",
    ) -> str:
        """Send a market or limit order; its client order id. `reason` goes into the signal."""
        return self._order("buy", symbol, qty, limit_price, time_in_force, reason)

    def sell(
        self,
        symbol: str,
        qty: Quantity,
        limit_price: Quantity | None = None,
        *,
        time_in_force: TimeInForce = "gtc",
        reason: str = "",
    ) -> str:
        return self._order("sell", symbol, qty, limit_price, time_in_force, reason)

    def target_position(self, symbol: str, qty: Quantity, *, reason: str = "") -> str | None:
        """Market order for what is missing, working orders counted; None when nothing is."""
        missing = exact(qty) - self.position(symbol) - self.pending(symbol)
        if missing == 0:
            return None
        side: Side = "buy" if missing > 0 else "sell"
        return self._order(side, symbol, abs(missing), None, "gtc", reason)

    def close(self, symbol: str, *, reason: str = "") -> str | None:
        """Cancel the working buys of `symbol` and sell what is held and not for sale already."""
        self._on.cancel(symbol, "buy", None)
        free = self.position(symbol) - self._on.pending(symbol, "sell")
        return self._order("sell", symbol, free, None, "gtc", reason) if free > 0 else None

    def cancel(self, symbol: str, client_order_id: str | None = None) -> int:
        """Ask for the end of one working order, or of all of `symbol`; how many were asked for."""
        return self._on.cancel(symbol, None, client_order_id)

    @property
    def log(self) -> Any:
        """A structured log: `self.log.info("entered", price=…)`."""
        return self._on.log

    # --- for the platform ----------------------------------------------------------------------

    def attach(self, desk: Desk) -> None:
        """Give the strategy its desk, before any hook."""
        self._on = desk

    @classmethod
    def declared_parameters(cls) -> dict[str, Parameter[Any]]:
        """By name, in the order of declaration, inherited ones first."""
        return {
            name: value
            for owner in reversed(cls.__mro__)
            for name, value in vars(owner).items()
            if isinstance(value, Parameter)
        }

    @classmethod
    def parse_parameters(cls, given: Mapping[str, object]) -> dict[str, object]:
        """All parameters, defaults filled in; raises InvalidParametersError with each fault."""
        declared = cls.declared_parameters()
        errors = [
            FieldError(name, f"{cls.name or cls.__name__} has no parameter of this name")
            for name in given
            if name not in declared
        ]
        values: dict[str, object] = {}
        for name, parameter in declared.items():
            try:
                values[name] = parameter.parse(given[name]) if name in given else parameter.default
            except ValueError as error:
                errors.append(FieldError(name, str(error)))
        if errors:
            raise InvalidParametersError(*errors)
        try:
            cls(values).check_parameters()
        except ParameterError as error:
            raise InvalidParametersError(FieldError(error.field, error.message)) from error
        return values

    @classmethod
    def encode_parameters(cls, values: Mapping[str, object]) -> dict[str, object]:
        """As JSON values that `parse_parameters` takes."""
        declared = cls.declared_parameters()
        return {name: declared[name].encode(value) for name, value in values.items()}

    @classmethod
    def parameters_schema(cls) -> dict[str, object]:
        declared = cls.declared_parameters()
        return {
            "type": "object",
            "properties": {name: parameter.schema() for name, parameter in declared.items()},
            "additionalProperties": False,
        }

    def _order(
        self,
        side: Side,
        symbol: str,
        qty: Quantity,
        limit_price: Quantity | None,
        time_in_force: TimeInForce,
        reason: str,
    ) -> str:
        amount = exact(qty)
        if amount <= 0:
            raise StrategyError(f"can't {side} {amount} {symbol}: the quantity must be above zero")
        limit = None if limit_price is None else exact(limit_price)
        if limit is not None and limit <= 0:
            raise StrategyError(f"can't {side} {symbol} at {limit}: a price must be above zero")
        return self._on.order(symbol, side, amount, limit, time_in_force, reason)


def exact(number: Quantity) -> Decimal:
    """The decimal that a float shows as (0.1 is 0.1); raises StrategyError for NaN and infinity."""
    value = number if isinstance(number, Decimal) else Decimal(str(cast("float", number)))
    if not value.is_finite():
        raise StrategyError(f"{number} is not a number to trade with")
    return value
