"""A candle as it is kept: what it says, who said so, how good it is, and since when we know it."""

from typing import Literal

import msgspec

from shared.models.market import Candle

#: `complete`: made of all that its source told. `partial`: the feed was away during part of it.
#: `healed`: asked of a provider afterwards, itself or some of the minutes that it is made of.
Quality = Literal["complete", "partial", "healed"]


class StoredCandle(msgspec.Struct, frozen=True, gc=False):
    candle: Candle
    #: `live`, `replay`, `synthetic`, `import`, or a provider; several are joined by `+`.
    source: str
    quality: Quality
    #: When it was known here, by the wall clock; what is written again unchanged keeps its own.
    as_of_ns: int
