"""What a program may ask of the market data engine over the stream `market:{jobs}`."""

from datetime import datetime
from typing import Literal

from shared.models.base import Message

#: Field of a stream entry that holds the message.
BODY = "b"


class FetchCandles(Message, frozen=True, tag="fetch_candles"):
    """Fetch past one-minute candles of 1 to 1000 symbols, at most 31 days; larger ones follow.

    `backfill` fetches what is missing, `bars_fetch` all of the range anew. Sent twice it is done
    twice at most, with the same result.
    """

    kind: Literal["backfill", "bars_fetch"]
    symbols: list[str]
    start: datetime
    #: Exclusive.
    end: datetime
    requested_by: str
    tier: Literal["T0", "T1", "T2"] = "T2"
