"""The class that a strategy author extends. It never sees asyncio, Redis or SQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, ClassVar, TypeVar, Unpack, cast

from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from shared.models.orders import Side, TimeInForce
from strategy_workers.sdk.desk import Desk
from strategy_workers.sdk.errors import StrategyError
from strategy_workers.sdk.forming import FormingCandles
from strategy_workers.sdk.indicators import Indicator, IndicatorSet, close_of, whole
from strategy_workers.sdk.orders import (
    OrderEvent,
    OrderTerms,
    Quantity,
    Stop,
    exact,
    revision,
    ticket,
)
from strategy_workers.sdk.parameters import TimeframeParameter
from strategy_workers.sdk.parametrized import Parametrized

Output = TypeVar("Output")


class _Nowhere:
    """Stands for the desk of a strategy that isn't running."""

    def __getattr__(self, _name: str) -> Any:
        raise StrategyError("the strategy isn't running: this is for its hooks")


_NOWHERE = _Nowhere()


class Strategy(Parametrized):
    """Extend it, name it, declare parameters, and write the hooks that you need.

    What `on_start` sets up must depend on the parameters alone: it runs again whenever
    another worker takes the deployment over. What must survive that goes into `self.state`,
    a dict of JSON values.
    """

    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    #: Timeframes that `on_candle` hears besides the deployment's own, and those of parameters.
    timeframes: tuple[Timeframe, ...] = ()
    #: Candles kept per symbol and timeframe for `candles`; a live run loads as many beforehand.
    warmup: int = 0
    #: Its hooks run elsewhere, under a deadline of their own.
    has_own_process: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, object]) -> None:
        super().__init__(parameters)
        self.state: dict[str, Any] = {}
        self._on: Desk = cast("Desk", _NOWHERE)

    # --- hooks ---------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Declare indicators. No orders here."""

    def on_candle(self, candle: Candle) -> None:
        """A candle of the deployment's symbols and timeframes is complete."""

    def on_timer(self, name: str) -> None:
        """A timer is due. All candles of the moment have been heard."""

    def on_moment(self, candles: Sequence[Candle]) -> None:
        """All candles that are complete at this moment have been heard: the place for what
        compares symbols."""

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
        kind: Callable[..., Indicator[Output]],
        *arguments: Any,
        of: Callable[[Candle], float] | None = None,
        timeframe: Timeframe | None = None,
    ) -> IndicatorSet[Output]:
        """`kind(*arguments)` for every symbol. For `on_start`.

        Fed with `of` each candle: if that is left out, with its close, or with the candle itself
        when `kind` takes candles.
        """
        feed: Callable[[Candle], Any] | None = of
        if feed is None:
            feed = whole if getattr(kind, "takes", "value") == "candle" else close_of
        key = (kind, arguments, feed, timeframe) if of is None else None
        return self._on.indicator(lambda: kind(*arguments), feed, timeframe, key=key)

    def forming(self, timeframe: Timeframe) -> FormingCandles:
        """The candle of `timeframe` that is under way, for every symbol: `hour["SPY"]`. For
        `on_start`."""
        return self._on.forming(timeframe)

    def plot(self, name: str, value: Quantity | None, *, symbol: str | None = None) -> None:
        """A point at this moment of a line in a chart; `symbol`: beside its candles. None is
        left out, as of an indicator that isn't ready."""
        if value is not None:
            self._on.plot(name, value, symbol)

    # --- the account ---------------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        return self._on.cash

    @property
    def buying_power(self) -> Decimal:
        """Cash less what this deployment's working buys will take, about."""
        return self._on.buying_power

    @property
    def equity(self) -> Decimal:
        """Cash plus positions, at last prices where the deployment has them, else at cost."""
        return self._on.equity

    def position(self, symbol: str) -> Decimal:
        """What this deployment has bought and not sold. Changes when fills come in."""
        return self._on.position(symbol)

    def entry_price(self, symbol: str) -> Decimal | None:
        """Average price of this deployment's position; None when it has none."""
        return self._on.entry_price(symbol)

    def account_position(self, symbol: str) -> Decimal:
        """What the whole account holds, whoever bought it."""
        return self._on.account_position(symbol)

    def pending(self, symbol: str) -> Decimal:
        """Open quantity of this deployment's working orders, buys less sells. Exits of brackets,
        OTOs and OCOs don't count: they guard what there is."""
        return self._on.pending(symbol, "buy") - self._on.pending(symbol, "sell")

    def lot_size(self, symbol: str) -> Decimal:
        return self._on.lot_size(symbol)

    def tick_size(self, symbol: str) -> Decimal:
        return self._on.tick_size(symbol)

    def whole_lots(self, symbol: str, qty: Quantity) -> Decimal:
        """`qty` rounded down to what can be traded."""
        lot = self.lot_size(symbol)
        return (exact(qty) / lot).to_integral_value(ROUND_DOWN) * lot

    def on_tick(self, symbol: str, price: Quantity, *, up: bool = False) -> Decimal:
        """`price` rounded down, or up, to one that an order can have; at least one tick."""
        tick = self.tick_size(symbol)
        steps = (exact(price) / tick).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        return max(steps, Decimal(1)) * tick

    def affordable(
        self, symbol: str, percent: Quantity, *, reserve_percent: Quantity = 0
    ) -> Decimal:
        """Whole lots at the last price for `percent` of the equity, and for no more than the
        buying power, of which `reserve_percent` is kept for slippage and fees."""
        price = self.last_price(symbol)
        if price is None:
            return Decimal(0)
        share = self.equity * exact(percent) / 100
        most = self.buying_power / (1 + exact(reserve_percent) / 100)
        return max(self.whole_lots(symbol, min(share, most) / price), Decimal(0))

    # --- orders --------------------------------------------------------------------------------

    def buy(
        self,
        symbol: str,
        qty: Quantity,
        limit_price: Quantity | None = None,
        **terms: Unpack[OrderTerms],
    ) -> str:
        """Send an order; its client order id. `reason` goes into the signal.

        Without prices a market order; with a limit, a stop, both, or a trail that type. It
        works until it is cancelled, or until `expires_at`, unless `time_in_force` says otherwise.
        With `take_profit` and `stop_loss`, or one of them, those wait until it fills; they are
        orders of their own, with its id followed by `.take_profit` and `.stop_loss`.
        """
        return self._order("buy", symbol, qty, limit_price=limit_price, **terms)

    def sell(
        self,
        symbol: str,
        qty: Quantity,
        limit_price: Quantity | None = None,
        **terms: Unpack[OrderTerms],
    ) -> str:
        """Like `buy`. More than this deployment holds and isn't selling already is sold short on
        a margin account, and refused on a cash account, or where others hold the symbol."""
        return self._order("sell", symbol, qty, limit_price=limit_price, **terms)

    def oco(
        self,
        symbol: str,
        *,
        take_profit: Quantity,
        stop_loss: Quantity | Stop,
        qty: Quantity | None = None,
        time_in_force: TimeInForce | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> str | None:
        """Two exits of what is held, of which one fills; the client order id of the take profit.
        The stop loss has it followed by `.stop_loss`.

        For `qty`, or all that no other order is to close; None when nothing is.
        """
        held = self.position(symbol)
        side: Side = "buy" if held < 0 else "sell"
        free = abs(held) - self._on.closing(symbol, side) if qty is None else exact(qty)
        if qty is None and free <= 0:
            return None
        return self._order(
            side, symbol, free, oco=True, take_profit=take_profit, stop_loss=stop_loss,
            time_in_force=time_in_force, expires_at=expires_at, reason=reason,
        )  # fmt: skip

    def replace(
        self,
        client_order_id: str,
        *,
        qty: Quantity | None = None,
        limit_price: Quantity | None = None,
        stop_price: Quantity | None = None,
        trail_price: Quantity | None = None,
        trail_percent: Quantity | None = None,
        reason: str = "",
    ) -> str | None:
        """A new order in place of a working one, in one step; its client order id.

        What isn't given stays; `qty` includes what has filled already. None when the order has
        ended, is about to, or was sent in this very moment. When the new one is refused or
        rejected the old one works on. An exit stays in its group, whose quantity it has.
        """
        changes = revision(
            qty=qty, limit_price=limit_price, stop_price=stop_price,
            trail_price=trail_price, trail_percent=trail_percent, reason=reason,
        )  # fmt: skip
        return self._on.replace(client_order_id, changes)

    def target_position(self, symbol: str, qty: Quantity, *, reason: str = "") -> str | None:
        """Market order for what is missing, working orders counted; None when nothing is. For a
        position of nothing, exits are cancelled first, and with each the rest of its group."""
        wanted = exact(qty)
        if wanted == 0:
            self._cancel_exits(symbol)  # an entry that goes along is missing no more
        missing = wanted - self.position(symbol) - self.pending(symbol)
        if missing == 0:
            return None
        return self._order("buy" if missing > 0 else "sell", symbol, abs(missing), reason=reason)

    def close(self, symbol: str, *, reason: str = "") -> str | None:
        """Cancel the working orders that would add to the position in `symbol`, and exits; then
        sell what is held and not for sale already, or buy back what is short."""
        held = self.position(symbol)
        adds: Side | None = None if held == 0 else "sell" if held < 0 else "buy"
        reduces: Side = "buy" if held < 0 else "sell"
        self._on.cancel(symbol, adds, None)
        self._cancel_exits(symbol)
        free = abs(held) - self._on.closing(symbol, reduces)
        return self._order(reduces, symbol, free, reason=reason) if free > 0 else None

    def _cancel_exits(self, symbol: str) -> None:
        for name in self._on.exits(symbol):
            self._on.cancel(symbol, None, name)

    def cancel(self, symbol: str, client_order_id: str | None = None) -> int:
        """Ask for the end of one working order, or of all of `symbol`; how many were asked for.
        An exit takes the rest of its group along."""
        return self._on.cancel(symbol, None, client_order_id)

    # --- time ----------------------------------------------------------------------------------

    def call_at(self, name: str, at: datetime) -> None:
        """`on_timer(name)` with the first candle that is complete at or after `at`."""
        self._on.call_at(name, at)

    def call_every(self, name: str, every: timedelta) -> None:
        """`on_timer(name)` with the next candle of the run, and each time that `every` has gone by
        since; once, however many times that was."""
        self._on.call_every(name, every)

    def call_off(self, name: str) -> None:
        """No timer of this name any more."""
        self._on.call_off(name)

    @property
    def log(self) -> Any:
        """A structured log: `self.log.info("entered", price=…)`."""
        return self._on.log

    # --- for the platform ----------------------------------------------------------------------

    def attach(self, desk: Desk) -> None:
        """Give the strategy its desk, before any hook."""
        self._on = desk

    def detach(self) -> None:
        """Nobody will call it any more."""

    def more_timeframes(self) -> tuple[Timeframe, ...]:
        """Those that it hears besides the deployment's own: declared, or chosen by parameters."""
        chosen = [
            self.parameters[name]
            for name, parameter in self.declared_parameters().items()
            if isinstance(parameter, TimeframeParameter)
        ]
        return (*self.timeframes, *chosen)

    def _order(self, side: Side, symbol: str, qty: Quantity, **terms: Any) -> str:
        return self._on.order(ticket(symbol, side, qty, **terms))
