"""Alpaca's market-data stream, in its words (JSON frames, each an array).

https://docs.alpaca.markets/docs/real-time-stock-pricing-data
"""

from collections.abc import Sequence
from typing import Any

import msgspec


class Trade(msgspec.Struct, tag_field="T", tag="t"):
    S: str
    p: float
    s: float
    t: str
    #: Unique within the exchange `x`.
    i: int | None = None
    x: str = ""


class Quote(msgspec.Struct, tag_field="T", tag="q"):
    S: str
    bp: float
    bs: float
    ap: float
    t: str
    #: `as`, which Python keeps for itself.
    ask_size: float = msgspec.field(name="as")


class Correction(msgspec.Struct, tag_field="T", tag="c"):
    """`o…` is what was said, `c…` what holds."""

    S: str
    oi: int
    ci: int
    cp: float
    cs: float
    t: str
    x: str = ""


class CancelError(msgspec.Struct, tag_field="T", tag="x"):
    S: str
    i: int
    t: str
    x: str = ""


class Success(msgspec.Struct, tag_field="T", tag="success"):
    msg: str


class Error(msgspec.Struct, tag_field="T", tag="error"):
    code: int
    msg: str = ""


class Subscription(msgspec.Struct, tag_field="T", tag="subscription"):
    trades: list[str] = []
    quotes: list[str] = []


Message = Trade | Quote | Correction | CancelError | Success | Error | Subscription

_whole = msgspec.json.Decoder(list[Message])
_parts = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(Message)
#: Sent only on request, or of no use here: bars, statuses, price bands.
_PASSED_OVER = frozenset({"b", "u", "d", "s", "l", "o", "n"})


def decode(frame: str | bytes) -> tuple[Sequence[Message], int]:
    """A frame's messages, and how many of them can't be understood."""
    try:
        return _whole.decode(frame), 0
    except msgspec.DecodeError:
        pass
    try:
        parts = _parts.decode(frame)
    except msgspec.DecodeError:
        return [], 1
    messages: list[Message] = []
    bad = 0
    for part in parts:
        try:
            messages.append(_one.decode(part))
        except msgspec.DecodeError:
            bad += not _is_passed_over(part)
    return messages, bad


def _is_passed_over(part: msgspec.Raw) -> bool:
    told: Any = msgspec.json.decode(part)
    return isinstance(told, dict) and told.get("T") in _PASSED_OVER


def sign_in(key_id: str, secret: str) -> str:
    return _text({"action": "auth", "key": key_id, "secret": secret})


def subscribe(symbols: Sequence[str]) -> str:
    """Corrections and cancels come with trades."""
    return _text({"action": "subscribe", "trades": list(symbols), "quotes": list(symbols)})


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
