"""Ids made of names, so that the same thing has the same id wherever it is worked out."""

from hashlib import sha1
from uuid import UUID

_VARIANT_AND_VERSION = 0x8000 << 48 | 5 << 76
_THE_REST = ~(0xC000 << 48 | 0xF000 << 64)


_NODE = 0xFFFF_FFFF_FFFF


def numbered_id(of: UUID, number: int) -> UUID:
    """The `number`-th thing, from 1, of what has the id `of`, which is made of a name: as much its
    own as that, and worked out without hashing."""
    if not 0 < number <= _NODE:
        raise ValueError(f"{number} is not within 48 bits")
    return UUID(int=of.int ^ number)


def named_id(namespace: UUID, name: str) -> UUID:
    """`uuid.uuid5(namespace, name)`, in half the time: an order takes several."""
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big")
    return UUID(int=number & _THE_REST | _VARIANT_AND_VERSION)
