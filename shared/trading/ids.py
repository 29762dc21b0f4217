"""Ids made of names, so that the same thing has the same id wherever it is worked out."""

from hashlib import sha1
from uuid import UUID

_VARIANT_AND_VERSION = 0x8000 << 48 | 5 << 76
_THE_REST = ~(0xC000 << 48 | 0xF000 << 64)


def named_id(namespace: UUID, name: str) -> UUID:
    """`uuid.uuid5(namespace, name)`, in half the time: an order takes several."""
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big")
    return UUID(int=number & _THE_REST | _VARIANT_AND_VERSION)
