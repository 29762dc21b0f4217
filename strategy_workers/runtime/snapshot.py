"""Everything that another worker needs to go on exactly where this one stopped."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from shared.models.base import encode
from shared.models.market import TimeMark
from shared.models.orders import OrderClass, OrderType, Side, StopLoss, TakeProfit, TimeInForce
from shared.redis.streams import BEGINNING
from strategy_workers.runtime.market import MarketState
from strategy_workers.runtime.plots import SeriesName
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.timers import Timer


class OutgoingOrder(msgspec.Struct, frozen=True, tag="order"):
    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    order_type: OrderType = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = "gtc"
    expires_at: datetime | None = None
    order_class: OrderClass = "simple"
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    extended_hours: bool | None = None


class OutgoingCancel(msgspec.Struct, frozen=True, tag="cancel"):
    client_order_id: str


class OutgoingReplace(msgspec.Struct, frozen=True, tag="replace"):
    #: Of the new order.
    client_order_id: str
    symbol: str
    side: Side
    #: The order that it replaces: its client order id, and its id.
    replaces: str
    order_id: UUID
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None


Outgoing = OutgoingOrder | OutgoingCancel | OutgoingReplace


class RefusedOrder(msgspec.Struct, frozen=True):
    """No order was made of it, and no event tells of it."""

    order: OutgoingOrder | OutgoingReplace
    code: str
    message: str


class Snapshot(msgspec.Struct):
    #: Last tape entry that was worked through.
    cursor: str = BEGINNING
    #: The mark there: acknowledged again by whoever takes over.
    mark: TimeMark | None = None
    portfolio: Portfolio = msgspec.field(default_factory=Portfolio)
    market: MarketState | None = None
    state: dict[str, Any] = {}
    #: Decided at `cursor`, stored before they were sent: sending them again is safe.
    outbox: list[Outgoing] = []
    #: To be told at the next mark.
    refusals: list[RefusedOrder] = []
    timers: dict[str, Timer] = {}
    #: Signals stored so far.
    signals: int = 0
    #: `on_stop` has been heard.
    stopping: bool = False
    #: Log lines and points of plots stored so far, and the names of all plots.
    lines: int = 0
    points: int = 0
    series: list[SeriesName] = []
    #: The strategy's own names of `market.indicators`.
    indicator_names: list[str] = []
    #: Those that decided, and their version.
    parameters: dict[str, Any] = {}
    version: int = 1
    #: Of an uploaded strategy.
    strategy_version: int | None = None


#: Larger whole numbers come back from JSON as floats.
_INT_BITS = 63

_decoder = msgspec.json.Decoder(Snapshot)


class Decided(msgspec.Struct):
    """The part of a snapshot that says by which parameters it came about."""

    parameters: dict[str, Any]
    version: int
    strategy_version: int | None = None


_decided_decoder = msgspec.json.Decoder(Decided)


def decode_decided(body: bytes) -> Decided:
    return _decided_decoder.decode(body)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return encode(snapshot)


def decode_snapshot(body: bytes) -> Snapshot:
    return _decoder.decode(body)


def check_json(value: object, path: str) -> None:
    """Raises TypeError unless `value` comes back from JSON exactly as it is."""
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if value.bit_length() > _INT_BITS:
            raise TypeError(f"{path} is a whole number beyond {_INT_BITS} bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{path} is {value}, which JSON can't hold")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{path} has the key {key!r}; keys must be text")
            check_json(item, f"{path}[{key!r}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_json(item, f"{path}[{index}]")
    else:
        raise TypeError(f"{path} is a {type(value).__name__}, which JSON can't hold")
