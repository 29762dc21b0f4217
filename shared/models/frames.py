"""What a WebSocket client receives: the very bytes that the producer published.

A frame is `{"topic":…,"seq":…,"data":{…}}`, where `data` is one message. The producer
encodes it once; the websocket service routes bytes and never decodes them.
"""

import msgspec

from shared.models.base import Message, encode


class FrameHead(msgspec.Struct, frozen=True):
    """The part of a frame that a router or a client needs to place it."""

    topic: str
    seq: int


def encode_frame(topic: str, seq: int, message: Message) -> bytes:
    """`seq` counts from 1 without gaps within `topic`."""
    return b'{"topic":%b,"seq":%d,"data":%b}' % (encode(topic), seq, encode(message))
