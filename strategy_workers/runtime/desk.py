"""The desk of one deployment: answers its strategy and collects what it decides. Pure."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from shared.models.identifiers import TIMEFRAMES, Timeframe
from shared.models.margin import MarginTerms
from shared.models.market import Candle
from shared.models.orders import Side
from shared.trading.amounts import shown
from strategy_workers.runtime.lines import Level, Line, Lines, StrategyLog, storable
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.order_groups import exits, going_with, kept_by_exits, orders_of
from strategy_workers.runtime.plots import Plots, PlotsToStore, SeriesName, plottable
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.snapshot import (
    Outgoing,
    OutgoingCancel,
    OutgoingOrder,
    OutgoingReplace,
    RefusedOrder,
)
from strategy_workers.runtime.timers import Timer, Timers
from strategy_workers.runtime.working_order import WorkingOrder
from strategy_workers.sdk.errors import StrategyError
from strategy_workers.sdk.forming import FormingCandles
from strategy_workers.sdk.indicators import Indicator, IndicatorSet
from strategy_workers.sdk.orders import Revision, Ticket, exact

Output = TypeVar("Output")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ZERO = Decimal(0)
_TIMER_NAME_CHARS = 200
_REASON_CHARS = 2000
#: The order would have sold what others hold.
NOT_HELD: Final = "position_not_held"


class Lots(NamedTuple):
    lot_size: Decimal
    tick_size: Decimal


class Signal(msgspec.Struct, frozen=True):
    """A decision to trade, and why."""

    symbol: str
    side: Side
    reason: str
    at: datetime


#: Symbol, side, the reason or what stands for it, and when. In a backtest nobody reads them.
_Decision = tuple[str, Side, str | Ticket, int]


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
        margin: MarginTerms | None,
        service_log: Any,
    ) -> None:
        self.market = market
        self.portfolio = portfolio
        #: What the strategy logs goes to `service_log` too.
        self.log = StrategyLog(service_log, self.note)
        self.lines = Lines()
        self.plots: Plots = PlotsToStore()
        self._plots_left_out = False
        self.timers = Timers()
        self.outbox: list[Outgoing] = []
        self._decided: list[_Decision] = []
        #: Orders that can't be sent, to be told like those that are refused to us.
        self.refusals: list[RefusedOrder] = []
        #: How many there have been of them.
        self.held_back = 0
        self.prefix = order_id_prefix
        self._lots = lots
        #: None of a cash account.
        self.margin = margin
        #: Of the moment; None where no orders can be sent.
        self.label: str | int | None = None
        #: Of the last order of the moment.
        self.number = 0
        self.at_ns = 0

    def inherit(self, old: "Desk") -> None:
        """Go on with positions, working orders and timers of before the parameters changed."""
        self.portfolio = old.portfolio
        self.refusals = old.refusals
        for line in self.lines.waiting:
            old.lines.add(line)
        self.lines = old.lines
        self.plots = old.plots
        self.timers.inherit(old.timers)

    def begin(self, label: str | int, at_ns: int) -> None:
        self.label = label
        self.number = 0
        self.at_ns = at_ns
        self.clear()

    def note(self, level: Level, message: str, fields: dict[str, str]) -> None:
        """A line for the owner to read."""
        self.lines.add(Line(level, message, fields, self.now if self.at_ns else None))

    def clear(self) -> None:
        """Forget the decisions of the last moment: they are stored and sent."""
        self.outbox = []
        self._decided = []

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
        buying = self._ordered("buy")
        if self.margin is None:
            return self.portfolio.cash - buying
        held = sum((abs(value) for value in self._values()), Decimal(0))
        fraction = self.margin.initial_percent / 100
        return (self.equity / fraction) - held - max(buying, self._ordered("sell"))

    def _ordered(self, side: Side) -> Decimal:
        """Value of this deployment's working orders."""
        return sum(
            (
                order.open_qty * self._expected_price(order)
                for order in self.portfolio.working.values()
                if order.side == side and not order.cancelling and not order.is_exit
            ),
            Decimal(0),
        )

    def _values(self) -> Iterator[Decimal]:
        """Of the account's positions; below zero of short ones."""
        for symbol, holding in self.portfolio.holdings.items():
            yield holding.qty * (self.last_price(symbol) or holding.avg_price)

    @property
    def equity(self) -> Decimal:
        return self.portfolio.cash + sum(self._values(), Decimal(0))

    def position(self, symbol: str) -> Decimal:
        own = self.portfolio.own.get(symbol)
        return _ZERO if own is None else own.qty

    def entry_price(self, symbol: str) -> Decimal | None:
        own = self.portfolio.own.get(symbol)
        return own.avg_price if own and own.qty else None

    def account_position(self, symbol: str) -> Decimal:
        holding = self.portfolio.holdings.get(symbol)
        return holding.qty if holding else _ZERO

    def pending(self, symbol: str, side: Side) -> Decimal:
        return self.portfolio.pending(symbol, side)

    def closing(self, symbol: str, side: Side) -> Decimal:
        """What working orders of `side` are for already, exits of groups included."""
        working = self.portfolio.working
        return self.pending(symbol, side) + kept_by_exits(working, symbol, side)

    def exits(self, symbol: str) -> Sequence[str]:
        return exits(self.portfolio.working, symbol)

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
        make: Callable[[], Indicator[Output]],
        of: Callable[[Candle], Any],
        timeframe: Timeframe | None,
        *,
        key: object = None,
    ) -> IndicatorSet[Output]:
        if self.label is not None:
            raise StrategyError("indicators are declared in on_start")
        return self.market.add_indicator(make, of, timeframe, key)

    def forming(self, timeframe: Timeframe) -> FormingCandles:
        if self.label is not None:
            raise StrategyError("forming candles are declared in on_start")
        if timeframe not in TIMEFRAMES[1:]:
            raise StrategyError(f"there is no forming candle of {timeframe}: minutes are complete")
        return self.market.add_forming(timeframe)

    def plot(self, name: str, value: Any, symbol: str | None) -> None:
        if self.label is None:
            raise StrategyError("plots are for hooks that have a moment, not for on_start")
        if symbol is not None:
            self._known(symbol)
        try:
            series = SeriesName(storable(name), symbol)
            taken = self.plots.add(series, self.at_ns, plottable(name, value))
        except (ValueError, AttributeError) as error:
            raise StrategyError(str(error)) from None
        if not taken and not self._plots_left_out:
            self._plots_left_out = True
            self.note("warning", "plots_left_out", {"first": series.name})

    # --- what it takes -------------------------------------------------------------------------

    def order(self, ticket: Ticket) -> str:
        if self.label is None:
            raise StrategyError("orders can't be sent from on_start")
        symbol, side, qty = ticket.symbol, ticket.side, ticket.qty
        self._known(symbol)
        self.number += 1
        client_order_id = f"{self.prefix}-{self.label}-{self.number}"
        order = OutgoingOrder(client_order_id, *ticket[:-1])
        # What is for sale is added up over all that works: not for buys, nor where it says nothing.
        if side == "sell" and not self._may_short(symbol):
            free = self.position(symbol) - self.closing(symbol, "sell")
            if qty > free:
                self._refuse(order, qty, free)
                return client_order_id
        self.outbox.append(order)
        self.portfolio.working.update(orders_of(client_order_id, ticket, self._first_stop(ticket)))
        reason = storable(ticket.reason)[:_REASON_CHARS] if ticket.reason else ""
        self._decided.append((symbol, side, reason or ticket, self.at_ns))
        return client_order_id

    @property
    def signal_count(self) -> int:
        """How many signals there are of the moment, without their words."""
        return len(self._decided)

    def signals(self) -> list[Signal]:
        return [
            Signal(
                symbol, side, said if isinstance(said, str) else _plainly(said), market_time(at_ns)
            )
            for symbol, side, said, at_ns in self._decided
        ]

    def saved(self) -> None:
        """Its signals and lines are stored."""
        self._decided = []
        self.lines.stored()
        self._plots_left_out = False
        if isinstance(self.plots, PlotsToStore):
            self.plots.stored()

    def replace(self, client_order_id: str, revision: Revision) -> str | None:
        if self.label is None:
            raise StrategyError("orders can't be replaced from on_start")
        old = self.portfolio.working.get(client_order_id)
        if old is None or old.cancelling or old.order_id is None:
            return None
        self.number += 1
        name = f"{self.prefix}-{self.label}-{self.number}"
        order = OutgoingReplace(
            name,
            old.symbol,
            old.side,
            client_order_id,
            old.order_id,
            revision.qty,
            revision.limit_price,
            revision.stop_price,
            revision.trail_price,
            revision.trail_percent,
        )
        left = old.open_qty if revision.qty is None else revision.qty - old.filled_qty
        follows = old.is_exit  # its quantity is the group's
        if old.side == "sell" and not (follows or self._may_short(old.symbol)):
            free = self.position(old.symbol) - self.closing(old.symbol, "sell") + old.open_qty
            if left > free:
                self._refuse(order, left, free)
                return name
        old.cancelling = True
        self.outbox.append(order)
        self.portfolio.working[name] = WorkingOrder(
            old.symbol,
            old.side,
            max(left, _ZERO),
            revision.limit_price or old.limit_price,
            revision.stop_price or old.stop_price,
            group=old.group,
            role=old.role,
        )
        why = storable(revision.reason)[:_REASON_CHARS] or f"in place of {client_order_id}"
        self._decided.append((old.symbol, old.side, why, self.at_ns))
        return name

    def _may_short(self, symbol: str) -> bool:
        """On a margin account, but never by selling what others hold."""
        return self.margin is not None and self.account_position(symbol) <= self.position(symbol)

    def _refuse(self, order: OutgoingOrder | OutgoingReplace, qty: Decimal, free: Decimal) -> None:
        message = (
            f"The deployment can sell {shown(free)} {order.symbol} of its own, not {shown(qty)}."
        )
        self.held_back += 1
        self.refusals.append(RefusedOrder(order, NOT_HELD, message))

    def _first_stop(self, ticket: Ticket) -> Decimal | None:
        """Where a stop to buy is, or begins: it tells what the order may cost."""
        last = self.last_price(ticket.symbol) if ticket.type == "trailing_stop" else None
        if last is None:
            return ticket.stop_price
        return last + (ticket.trail_price or last * (ticket.trail_percent or _ZERO) / 100)

    def _expected_price(self, order: WorkingOrder) -> Decimal:
        if order.limit_price is not None:
            return order.limit_price
        return max(order.stop_price or _ZERO, self.last_price(order.symbol) or _ZERO)

    def cancel(self, symbol: str, side: Side | None, client_order_id: str | None) -> int:
        if self.label is None:
            raise StrategyError("orders can't be cancelled from on_start")
        working = self.portfolio.working
        chosen = [
            (name, order)
            for name, order in working.items()
            if order.symbol == symbol
            and side in (None, order.side)
            and client_order_id in (None, name)
        ]
        # Exits first: they take the rest of their group along.
        chosen.sort(key=lambda each: not each[1].is_exit)
        asked = 0
        for name, order in chosen:
            if not order.cancelling:
                for each in going_with(working, name):
                    each.cancelling = True
                self.outbox.append(OutgoingCancel(name))
                asked += 1
        return asked

    # --- timers --------------------------------------------------------------------------------

    def call_at(self, name: str, at: datetime) -> None:
        if at.utcoffset() is None:
            raise StrategyError(f"the timer {name} needs a time with its zone, not {at}")
        self.timers.start(_timer_name(name), Timer(nanoseconds(at)))

    def call_every(self, name: str, every: timedelta) -> None:
        if every <= timedelta(0):
            raise StrategyError(f"the timer {name} can't be due every {every}")
        self.timers.start(_timer_name(name), Timer(0, every // _MICROSECOND * 1000))

    def call_off(self, name: str) -> None:
        self.timers.end(name)

    def _known(self, symbol: str) -> Lots:
        lots = self._lots.get(symbol)
        if lots is None:
            raise StrategyError(f"{symbol} is not a symbol of this deployment")
        return lots


# A moment's time is asked for again and again.
@lru_cache(maxsize=256)
def market_time(at_ns: int) -> datetime:
    """Cut to microseconds, which is what a `datetime` can hold."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000


def _timer_name(name: object) -> str:
    if not isinstance(name, str) or name != storable(name):
        raise StrategyError(f"a timer's name is text, not {name!r}")
    if len(name) > _TIMER_NAME_CHARS:
        raise StrategyError(f"a timer's name has up to {_TIMER_NAME_CHARS} characters")
    return name


def _plainly(ticket: Ticket) -> str:
    """What stands for a reason that isn't given."""
    target, guard = ticket.take_profit, ticket.stop_loss
    prices = (
        ("at", ticket.limit_price),
        ("stop", ticket.stop_price),
        ("trailing by", ticket.trail_price),
        ("trailing by percent", ticket.trail_percent),
        ("take profit", None if target is None else target.limit_price),
        ("stop loss", None if guard is None else guard.stop_price),
    )
    told = [f"{word} {shown(price)}" for word, price in prices if price is not None]
    how = " ".join(told) or "at market"
    return f"{ticket.side} {shown(ticket.qty)} {ticket.symbol} {how}"
