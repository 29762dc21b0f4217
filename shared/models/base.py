"""What all messages have in common: frozen, tagged, versioned, JSON.

Producers can only build declared fields; consumers ignore fields they don't know, so that
services can be deployed in any order.
"""

import re
from decimal import Decimal
from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of everything that goes over Redis. Subclasses set `tag`."""

    version: int = 1


#: What decoding raises: the last two for a body nested too deeply, and one that isn't UTF-8.
NOT_DECODABLE = (msgspec.DecodeError, RecursionError, ValueError)

_encoder = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical")
#: A text that ends like a decimal in scientific notation. It begins with a plain letter, which
#: makes it as fast to look for as a letter.
_EXPONENT = re.compile(rb'E(?<=[0-9]E)[+-][0-9]+"')
#: Beyond so many digits a decimal is absurd, and stays as short as it is.
_MOST_DIGITS = 60


def encode(value: Any) -> bytes:
    """JSON, with decimals as strings without an exponent: `0.00000001`, never `1E-8`."""
    body = _encoder.encode(value)
    # msgspec writes `str(decimal)`, which has an exponent below 0.000001 only: too rare to make
    # all others pay for it.
    if b"E" in body and _EXPONENT.search(body):
        return _encoder.encode(_without_exponents(value))
    return body


def _without_exponents(value: Any) -> Any:
    return _plain(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        absurd = not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS
        return str(value) if absurd else f"{value:f}"
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
