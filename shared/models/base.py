"""What all messages have in common: frozen, tagged, versioned, JSON.

Producers can only build declared fields; consumers ignore fields they don't know, so that
services can be deployed in any order.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of everything that goes over Redis. Subclasses set `tag`."""

    version: int = 1


_encoder = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical")
encode = _encoder.encode
