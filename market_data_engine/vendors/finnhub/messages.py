"""Finnhub's stream of trades, in its words.

https://finnhub.io/docs/api/websocket-trades
"""

from collections.abc import Sequence
from math import isfinite

import msgspec

from market_data_engine.feeds.events import Print


class _Trade(msgspec.Struct):
    s: str
    p: float
    #: Milliseconds since the epoch.
    t: int
    #: Zero for prices of currencies, which have no volume.
    v: float = 0.0


class Trades(msgspec.Struct, tag_field="type", tag="trade"):
    data: list[msgspec.Raw] = []


class Ping(msgspec.Struct, tag_field="type", tag="ping"):
    pass


class News(msgspec.Struct, tag_field="type", tag="news"):
    """Sent only on request, and of no use here."""


class Error(msgspec.Struct, tag_field="type", tag="error"):
    msg: str = ""


Message = Trades | Ping | News | Error

_messages = msgspec.json.Decoder(Message)
_trades = msgspec.json.Decoder(_Trade)


def decode(frame: str | bytes) -> Message | None:
    """None when it can't be understood."""
    try:
        message: Message = _messages.decode(frame)
    except msgspec.DecodeError:
        return None
    return message


def prints(message: Trades) -> tuple[list[Print], int]:
    """The prints of a message, and how many of its trades can't be understood.

    They have no id: what is told twice counts twice.
    """
    understood: list[Print] = []
    bad = 0
    for raw in message.data:
        try:
            trade = _trades.decode(raw)
        except msgspec.DecodeError:
            bad += 1
            continue
        if not (isfinite(trade.p) and isfinite(trade.v) and 0 <= trade.t < 1 << 43):
            bad += 1
            continue
        understood.append(Print(trade.s, trade.t * 1_000_000, trade.p, trade.v))
    return understood, bad


def subscriptions(symbols: Sequence[str]) -> list[str]:
    """A message a symbol."""
    return [
        msgspec.json.encode({"type": "subscribe", "symbol": symbol}).decode() for symbol in symbols
    ]
