"""One reader of the tape for all shards of the process: each entry is decoded once.

A shard catches up by itself to where the feed is and then attaches; from there on the feed
hands it every entry. When a shard falls behind by `INBOX_ENTRIES`, the feed waits for it.
"""

import asyncio
from collections import deque

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from order_processor.metrics import UNREADABLE
from shared.models.base import NOT_DECODABLE
from shared.models.identifiers import Symbol
from shared.models.market import Halts, Quotes, RunEnded, RunStarted, TimeMark, Trades
from shared.redis import tape
from shared.redis.streams import position

log = structlog.get_logger()

INBOX_ENTRIES = 256
_READ_ENTRIES = 64
_PAUSE_S = 0.2
#: A print beyond it is a mistake of the source.
_MAX_PRICE = 1e9


class Prints(msgspec.Struct, frozen=True):
    """Usable prints in time order, and the last price of each symbol among them."""

    trades: Trades
    last: dict[Symbol, float]


class FedEntry(msgspec.Struct, frozen=True):
    id: str
    #: None for what moves neither prices nor time (candles, what can't be read).
    body: Prints | Quotes | Halts | TimeMark | RunStarted | RunEnded | None


def understood(entry: tape.RawEntry) -> FedEntry:
    """An entry as shards use it; an unreadable one is logged and passed over."""
    if entry.kind == "candles":
        return FedEntry(entry.id, None)
    try:
        body = entry.decode()
    except NOT_DECODABLE as error:
        log.error("tape_entry_unreadable", entry=entry.id, error=str(error))
        UNREADABLE.labels("tape").inc()
        return FedEntry(entry.id, None)
    if isinstance(body, Trades):
        return FedEntry(entry.id, _usable(entry.id, body))
    if isinstance(body, Quotes):
        return FedEntry(entry.id, body if _whole(entry.id, body) else None)
    if isinstance(body, Halts):
        fits = len(body.symbols) == len(body.at_ns) == len(body.halted)
        return FedEntry(entry.id, body if fits and body.symbols else None)
    if isinstance(body, TimeMark | RunStarted | RunEnded):
        return FedEntry(entry.id, body)
    return FedEntry(entry.id, None)


def _usable(entry_id: str, trades: Trades) -> Prints | None:
    count = len(trades.at_ns)
    whole = count == len(trades.price) == len(trades.symbol_index) == len(trades.size)
    if not count or not whole or not _indexes_fit(trades):
        if count or not whole:
            log.error("tape_trades_malformed", entry=entry_id)
            UNREADABLE.labels("tape").inc()
        return None
    if not (min(trades.price) > 0 and max(trades.price) < _MAX_PRICE):
        trades = _without_bad_prices(entry_id, trades)
        if not trades.at_ns:
            return None
    # Later prints overwrite earlier ones: what stays is the last price of each symbol.
    by_index = dict(zip(trades.symbol_index, trades.price, strict=True))
    return Prints(trades, {trades.symbols[index]: price for index, price in by_index.items()})


def _whole(entry_id: str, quotes: Quotes) -> bool:
    """Whether there are quotes, with all of their columns. Prices are looked at one by one."""
    columns = (quotes.symbol_index, quotes.bid, quotes.ask, quotes.bid_size, quotes.ask_size)
    count = len(quotes.at_ns)
    if all(len(column) == count for column in columns) and (not count or _indexes_fit(quotes)):
        return count > 0
    log.error("tape_quotes_malformed", entry=entry_id)
    UNREADABLE.labels("tape").inc()
    return False


def _indexes_fit(rows: Trades | Quotes) -> bool:
    return min(rows.symbol_index) >= 0 and max(rows.symbol_index) < len(rows.symbols)


def _without_bad_prices(entry_id: str, trades: Trades) -> Trades:
    good = [index for index, price in enumerate(trades.price) if 0 < price < _MAX_PRICE]
    log.warning("tape_prices_dropped", entry=entry_id, count=len(trades.price) - len(good))
    return Trades(
        symbols=trades.symbols,
        symbol_index=[trades.symbol_index[index] for index in good],
        at_ns=[trades.at_ns[index] for index in good],
        price=[trades.price[index] for index in good],
        size=[trades.size[index] for index in good],
    )


class Inbox:
    """Tape entries that wait for one shard."""

    def __init__(self, wake: asyncio.Event) -> None:
        self.entries: deque[FedEntry] = deque()
        self._wake = wake
        self._room = asyncio.Event()
        self._room.set()

    def put(self, entries: list[FedEntry]) -> None:
        self.entries.extend(entries)
        if len(self.entries) >= INBOX_ENTRIES:
            self._room.clear()
        self._wake.set()

    def take(self, most: int) -> list[FedEntry]:
        taken = [self.entries.popleft() for _ in range(min(most, len(self.entries)))]
        if len(self.entries) < INBOX_ENTRIES:
            self._room.set()
        return taken

    def close(self) -> None:
        """The shard reads no more: the feed must not wait for it."""
        self.entries.clear()
        self._room.set()

    async def room(self) -> None:
        await self._room.wait()


class TapeFeed:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._inboxes: set[Inbox] = set()
        self._attached = asyncio.Event()
        #: Last entry handed to the shards; None while there are none.
        self.position: str | None = None

    def attach(self, inbox: Inbox, cursor: str, *, at_end: bool = False) -> bool:
        """Whether the shard at `cursor` gets all that follows; False when it is still behind.

        `at_end`: a read has just found nothing after the cursor, so that it is not behind,
        whatever entries were there before.
        """
        if self.position is None:
            self.position = cursor
        elif position(cursor) < position(self.position) and not at_end:
            return False
        self._inboxes.add(inbox)
        self._attached.set()
        return True

    def detach(self, inbox: Inbox) -> None:
        inbox.close()
        self._inboxes.discard(inbox)
        if not self._inboxes:
            self.position = None
            self._attached.clear()

    async def catch_up(self, cursor: str) -> list[FedEntry]:
        """Entries right after `cursor`, for a shard that is behind the feed."""
        raw = await tape.read(self._redis, cursor, count=_READ_ENTRIES, block_ms=1)
        return [understood(entry) for entry in raw]

    async def run(self) -> None:
        """Read on until cancelled. While Redis is away it keeps trying."""
        while True:
            await self._attached.wait()
            try:
                await self._read_once()
            except RedisError as error:
                log.warning("tape_unreachable", error=repr(error))
                await asyncio.sleep(_PAUSE_S)

    async def _read_once(self) -> None:
        begin = self.position
        if begin is None:
            return
        raw = await tape.read(self._redis, begin, count=_READ_ENTRIES, block_ms=1000)
        if not raw or self.position != begin:
            return  # nothing came, or all shards left meanwhile and others begin elsewhere
        entries = [understood(entry) for entry in raw]
        self.position = entries[-1].id
        for inbox in list(self._inboxes):
            inbox.put(entries)
        for inbox in list(self._inboxes):
            await inbox.room()
