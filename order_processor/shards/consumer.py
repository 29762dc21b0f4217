"""The stream edge: a shard's commands, decoded, with the tape position that they came after."""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from order_processor.metrics import UNREADABLE
from shared.models.base import NOT_DECODABLE
from shared.models.orders import Command
from shared.redis.cluster import answers_in_order
from shared.redis.keys import TAPE, order_commands
from shared.redis.streams import (
    BEGINNING,
    StreamEntry,
    newest_id,
    newest_of,
    read_after,
    read_entries,
)

log = structlog.get_logger()

_decoder = msgspec.json.Decoder(Command)
_BLOCK_MS = 1000
_PAUSE_S = 0.2


class CommandEntry(msgspec.Struct, frozen=True):
    id: str
    #: None when it can't be decoded: it is passed over.
    command: Command | None
    #: Tape entry that was there before the command was read. Who sent it may have seen it, so
    #: the shard applies the tape up to it first.
    after_tape: str


def understood(entry_id: str, body: bytes | None, after_tape: str) -> CommandEntry:
    try:
        return CommandEntry(entry_id, _decoder.decode(body or b""), after_tape)
    except NOT_DECODABLE as error:
        log.error("command_unreadable", entry=entry_id, error=str(error))
        UNREADABLE.labels("commands").inc()
        return CommandEntry(entry_id, None, after_tape)


class CommandReader:
    """Reads ahead by at most one batch, so that the next is collected while one commits."""

    def __init__(self, redis: Redis, shard: int, wake: asyncio.Event, batch: int) -> None:
        self._redis = redis
        self._stream = order_commands(shard)
        self._wake = wake
        self._batch = batch
        self._room = asyncio.Event()
        self._room.set()
        self.waiting: deque[CommandEntry] = deque()

    async def run(self, cursor: str) -> None:
        """Read on from `cursor` until cancelled. While Redis is away it keeps trying."""
        while True:
            await self._room.wait()
            try:
                entries, after_tape = await self._read(cursor)
            except RedisError as error:
                log.warning("commands_unreachable", stream=self._stream, error=repr(error))
                await asyncio.sleep(_PAUSE_S)
                continue
            if not entries:
                continue
            cursor = entries[-1].id
            self.waiting.extend(
                understood(entry.id, entry.fields.get(b"b"), after_tape) for entry in entries
            )
            if len(self.waiting) >= self._batch:
                self._room.clear()
            self._wake.set()

    async def _read(self, cursor: str) -> tuple[list[StreamEntry], str]:
        """Commands after `cursor`, waiting for the first, and the tape's end when they came: the
        second question waits in Redis until the first is answered. A cluster's nodes wait for
        none of the others: there it is asked afterwards."""
        if not answers_in_order(self._redis):
            entries = await read_after(
                self._redis, self._stream, cursor, count=self._batch, block_ms=_BLOCK_MS
            )
            return entries, await newest_id(self._redis, TAPE) if entries else BEGINNING
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xread({self._stream: cursor}, count=self._batch, block=_BLOCK_MS)
        pipeline.xrevrange(TAPE, count=1)
        commands, newest = await pipeline.execute()
        return read_entries(commands), newest_of(newest)

    def ready(self, applied: Callable[[str], bool]) -> bool:
        """Whether the next command may be applied, given which tape entries were."""
        return bool(self.waiting) and applied(self.waiting[0].after_tape)

    def release(self) -> None:
        """Nothing on the tape is left that the commands read so far could wait for."""
        self.waiting = deque(
            CommandEntry(entry.id, entry.command, BEGINNING) for entry in self.waiting
        )

    def take(self, most: int, applied: Callable[[str], bool]) -> list[CommandEntry]:
        taken: list[CommandEntry] = []
        while len(taken) < most and self.ready(applied):
            taken.append(self.waiting.popleft())
        if len(self.waiting) < self._batch:
            self._room.set()
        return taken
