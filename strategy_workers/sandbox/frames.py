"""What the platform and a strategy's process say to each other: one request, one reply.

Frames are MessagePack behind their length in four bytes. What comes from the process is read as
these types and no others, and believed in nothing: orders are put to the deployment's own desk.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from shared.models.identifiers import TIMEFRAMES, Timeframe
from shared.models.margin import MarginTerms
from shared.models.market import Candle
from shared.models.orders import Side
from strategy_workers.runtime.lines import Level
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.sdk.orders import OrderEvent, Revision, Ticket

HEAD_BYTES = 4
#: Of a frame from the process.
MOST_BYTES = 4 * 1024 * 1024
#: Orders, replacements and cancels of one hook; its log lines, and its plots.
MOST_ORDERS = 100
MOST_NOTES = 200
MOST_PLOTS = 200
#: Of one strategy, for all of its symbols.
MOST_INDICATORS = 500
#: Of one strategy, and the values that one of them may be chosen from.
MOST_PARAMETERS = 200
MOST_CHOICES = 1000
#: Of an error's account.
ACCOUNT_CHARS = 8000

Text = Annotated[str, msgspec.Meta(max_length=2000)]
#: No timeframe twice.
Timeframes = Annotated[list[Timeframe], msgspec.Meta(max_length=len(TIMEFRAMES))]

HookName = Literal["on_candle", "on_timer", "on_moment", "on_order", "on_stop"]


R = TypeVar("R", bound="Frame")


class Frame(msgspec.Struct, tag=True):
    pass


# --- how a strategy looks ------------------------------------------------------------------------


class ParameterShape(msgspec.Struct, frozen=True):
    name: Text
    kind: Literal["int", "decimal", "category", "boolean", "timeframe"]
    #: JSON.
    default: Any
    description: Text
    low: Text | None = None
    high: Text | None = None
    step: Text | None = None
    choices: Annotated[list[Text], msgspec.Meta(max_length=MOST_CHOICES)] = []


class Manifest(msgspec.Struct, frozen=True):
    """All of a strategy class that the platform has to know."""

    name: Text
    title: Text
    description: Text
    timeframes: Timeframes
    hooks: Annotated[list[Text], msgspec.Meta(max_length=10)]
    parameters: Annotated[list[ParameterShape], msgspec.Meta(max_length=MOST_PARAMETERS)]


# --- requests ------------------------------------------------------------------------------------


class Load(Frame):
    #: Path → Python source.
    files: dict[str, bytes]


class Start(Frame):
    parameters: dict[str, Any]
    symbols: list[str]
    timeframe: Timeframe
    #: Lot and tick size by symbol.
    lots: dict[str, tuple[Decimal, Decimal]]
    order_id_prefix: str
    #: Of the account; None of a cash account.
    margin: MarginTerms | None


class TakeCandle(Frame):
    candle: Candle


class ForgetMarket(Frame):
    pass


class TakeHistory(Frame):
    #: Columns of each candle, series by series.
    history: list[list[tuple[Any, ...]]]
    last_prices: dict[str, float]


class RestoreIndicator(Frame):
    place: int
    state: dict[str, Any]


class TakeForming(Frame):
    place: int
    symbol: str
    candle: Candle | None


#: What has become of the market since the last request.
MarketNews = TakeCandle | ForgetMarket | TakeHistory | RestoreIndicator | TakeForming


class Hook(Frame):
    name: HookName
    news: list[MarketNews]
    #: Of the moment.
    label: str | int
    number: int
    at_ns: int
    portfolio: Portfolio
    #: `self.state`; None while the process knows it.
    state: dict[str, Any] | None = None
    candles: list[Candle] = []
    timer: str = ""
    event: OrderEvent | None = None


class LookAtIndicators(Frame):
    news: list[MarketNews]


Request = Load | Start | Hook | LookAtIndicators


# --- replies -------------------------------------------------------------------------------------


class SendOrder(Frame):
    #: What the strategy was told that it is called.
    client_order_id: str
    ticket: Ticket


class ReplaceOrder(Frame):
    client_order_id: str
    change: Revision
    replaced_by: str | None


class CancelOrders(Frame):
    symbol: str
    side: Side | None
    client_order_id: str | None


class CallAt(Frame):
    name: str
    at: datetime


class CallEvery(Frame):
    name: str
    every: timedelta


class CallOff(Frame):
    name: str


class Note(Frame):
    level: Level
    message: str
    fields: dict[str, str]


class Plot(Frame):
    name: str
    value: float
    symbol: str | None


Action = SendOrder | ReplaceOrder | CancelOrders | CallAt | CallEvery | CallOff | Note | Plot


class Loaded(Frame):
    manifest: Manifest


class Indicator(msgspec.Struct, frozen=True):
    #: The strategy's own name for it, or empty.
    name: Text
    timeframe: Timeframe
    #: Indicators of equal keys work out the same; None is like no other.
    key: Text | None


class Started(Frame):
    warmup: int
    indicators: Annotated[list[Indicator], msgspec.Meta(max_length=MOST_INDICATORS)]
    #: Timeframes of forming candles.
    forming: Timeframes
    actions: list[Action]


class Done(Frame):
    actions: list[Action]
    #: `self.state`; None when it is what it was.
    state: dict[str, Any] | None


class Indicators(Frame):
    states: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MOST_INDICATORS)]


class Failed(Frame):
    """A hook raised, or the code can't be loaded. `account` is a traceback, or a sentence."""

    account: str
    notes: list[Note] = []


Reply = Loaded | Started | Done | Indicators | Failed

_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_encoder = msgspec.msgpack.Encoder()


def packed(frame: Request | Reply) -> bytes:
    body = _encoder.encode(frame)
    return len(body).to_bytes(HEAD_BYTES, "little") + body


def read_request(body: bytes) -> Request:
    return _requests.decode(body)


def read_reply(body: bytes) -> Reply:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _replies.decode(body)
