"""The tape: one Redis stream of market data and time, and the acknowledgements that pace it.

Everyone reads the same entries in the same order, remembers the id of the last one whose
effects are durable, and after a crash reads again from there. Pub/sub would be lighter, but
what it loses can't be read again, and a run could not be repeated exactly.

In a paced run the engine waits after each mark until every participant has acknowledged
it. Participants are logical (an order shard, a deployment, a client), not processes: when
one dies, the run waits for its successor.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Literal, cast

import msgspec
from redis.asyncio import Redis

from shared.models.base import encode
from shared.models.market import (
    Acknowledgement,
    Candles,
    Halts,
    Quotes,
    RunEnded,
    RunStarted,
    TapeEntry,
    TimeMark,
    Trades,
)
from shared.redis.keys import (
    TAPE,
    TAPE_ACKS,
    TAPE_COMMITTED,
    TAPE_PARTICIPANTS,
    TAPE_RUN,
    observer_heartbeat,
)
from shared.redis.streams import BEGINNING, newest_id, position, read_after
from shared.redis.streams import entries as stream_entries

Phase = Literal["market", "strategy", "observe"]
Kind = Literal["trades", "quotes", "halts", "candles", "mark", "run_started", "run_ended"]

#: Acknowledgements kept; one that is trimmed was overtaken by later ones long ago.
_ACKS_KEPT = 10_000
#: An observer that nobody has spoken for this long is gone, with the process that served it.
OBSERVER_HEARTBEAT_S = 10.0

_KINDS: dict[type[TapeEntry], Kind] = {
    Trades: "trades",
    Quotes: "quotes",
    Halts: "halts",
    Candles: "candles",
    TimeMark: "mark",
    RunStarted: "run_started",
    RunEnded: "run_ended",
}
_decoder = msgspec.json.Decoder(TapeEntry)
_ack_decoder = msgspec.json.Decoder(Acknowledgement)


def kind_of(entry: TapeEntry) -> Kind:
    return _KINDS[type(entry)]


async def append(redis: Redis, entries: Iterable[TapeEntry], keep: int | None = None) -> list[str]:
    """Put entries on the tape in order, in one round trip; their ids.

    `keep` bounds the tape (about) for runs that nobody paces; a paced run trims by what its
    participants have committed instead.
    """
    pipeline = redis.pipeline(transaction=False)
    for entry in entries:
        pipeline.xadd(
            TAPE,
            {"k": kind_of(entry), "b": encode(entry)},
            maxlen=keep,
            approximate=True,
        )
    return [entry_id.decode() for entry_id in await pipeline.execute()]


async def end_of_tape(redis: Redis) -> str:
    """Id of the newest entry."""
    return await newest_id(redis, TAPE)


class RawEntry(msgspec.Struct, frozen=True):
    """An entry before decoding, so that a reader can pass over kinds that it has no use for."""

    id: str
    kind: Kind
    body: bytes

    def decode(self) -> TapeEntry:
        entry: TapeEntry = _decoder.decode(self.body)
        return entry


async def read(
    redis: Redis, after: str, *, count: int = 256, block_ms: int | None = 1000
) -> list[RawEntry]:
    """Up to `count` entries after the id `after`, waiting up to `block_ms` for the first."""
    return [
        RawEntry(entry_id, cast("Kind", fields[b"k"].decode()), fields[b"b"])
        for entry_id, fields in await read_after(redis, TAPE, after, count=count, block_ms=block_ms)
    ]


async def backwards(redis: Redis) -> AsyncIterator[RawEntry]:
    """All that is on the tape, the newest entry first."""
    last = "+"
    while page := stream_entries(await redis.xrevrange(TAPE, max=last, min="-", count=64)):
        for entry_id, fields in page:
            yield RawEntry(entry_id, cast("Kind", fields[b"k"].decode()), fields[b"b"])
        last = f"({page[-1].id}"


async def newest_mark(redis: Redis, phase: Phase) -> tuple[str, TimeMark] | None:
    """The last mark of `phase` with its entry id; None when the tape holds none."""
    async for raw in backwards(redis):
        if raw.kind == "mark":
            mark = raw.decode()
            if isinstance(mark, TimeMark) and mark.phase == phase:
                return raw.id, mark
    return None


# --- taking part -----------------------------------------------------------------------------


async def join(redis: Redis, participant: str, phase: Phase) -> None:
    """From the next mark on, a paced run waits for `participant` in `phase`.

    An observer has no successor: it counts only while `keep_observing` is called for it.
    """
    if phase == "observe":
        await keep_observing(redis, [participant])
    else:
        await redis.hset(TAPE_PARTICIPANTS, participant, phase)


async def join_all(redis: Redis, participants: Sequence[str], phase: Phase) -> None:
    """`join` for many, of a phase other than `observe`."""
    if participants:
        await redis.hset(TAPE_PARTICIPANTS, mapping=dict.fromkeys(participants, phase))


async def keep_observing(redis: Redis, participants: Iterable[str]) -> None:
    """Say that these observers live, for `OBSERVER_HEARTBEAT_S` from now; also of one that was
    struck off in the meantime, because its process had been stopped for a while."""
    pipeline = redis.pipeline(transaction=False)
    for participant in participants:
        pipeline.set(observer_heartbeat(participant), b"1", px=round(OBSERVER_HEARTBEAT_S * 1000))
        pipeline.hset(TAPE_PARTICIPANTS, participant, "observe")
    await pipeline.execute()


async def leave(redis: Redis, participant: str) -> None:
    pipeline = redis.pipeline(transaction=False)
    pipeline.hdel(TAPE_PARTICIPANTS, participant)
    pipeline.hdel(TAPE_COMMITTED, participant)
    pipeline.delete(observer_heartbeat(participant))
    await pipeline.execute()


async def leave_shards_beyond(redis: Redis, shards: int) -> None:
    """Order shards that there were once, before `ORDER_SHARDS` was lowered, have no successor:
    a paced run would wait for them for ever."""
    gone = [name for name in await _texts(redis, TAPE_PARTICIPANTS) if _is_beyond(name, shards)]
    for name in gone:
        await leave(redis, name)


def _is_beyond(participant: str, shards: int) -> bool:
    kind, _, number = participant.partition(":")
    return kind == "orders" and number.isdecimal() and int(number) >= shards


async def acknowledge(
    redis: Redis,
    participants: Sequence[str],
    mark: TimeMark,
    phase: Phase,
    committed: str | None = None,
) -> None:
    """All of `participants` have done everything up to and including `mark`.

    `committed` is the tape position from which they would read again after a crash.
    """
    pipeline = redis.pipeline(transaction=False)
    if committed is not None:
        pipeline.hset(TAPE_COMMITTED, mapping=dict.fromkeys(participants, committed))
    for participant in participants:
        ack = Acknowledgement(
            participant=participant, number=mark.number, phase=phase, run_id=mark.run_id
        )
        pipeline.xadd(TAPE_ACKS, {b"b": encode(ack)}, maxlen=_ACKS_KEPT, approximate=True)
    await pipeline.execute()


async def acknowledge_observed(redis: Redis, participant: str, number: int) -> None:
    """An observer has seen mark `number` and everything before it."""
    ack = Acknowledgement(participant=participant, number=number, phase="observe")
    await redis.xadd(TAPE_ACKS, {b"b": encode(ack)}, maxlen=_ACKS_KEPT, approximate=True)


class RunLostError(Exception):
    """Redis no longer knows the run: marks, acknowledgements and participants are gone."""


class Pacer:
    """The engine's side: waits until all participants of a phase have come to a mark.

    `always` names participants that count even before they have joined (the order shards),
    so that a run can't slip past one that is just being taken over.
    """

    def __init__(self, redis: Redis, always: dict[str, Phase]) -> None:
        self._redis = redis
        self._always = always
        self._cursor = BEGINNING
        self._run_id = ""
        #: (participant, phase) → highest mark acknowledged in this run.
        self._reached: dict[tuple[str, str], int] = {}

    async def begin(self, run_id: str = "") -> None:
        """Forget the acknowledgements of earlier runs, also those that are still to come."""
        self._run_id = run_id
        self._cursor = await newest_id(self._redis, TAPE_ACKS)
        self._reached.clear()
        await self._redis.set(TAPE_RUN, run_id)

    async def missing(self, phase: Phase, number: int) -> set[str]:
        """Participants of `phase` that have not come to mark `number` yet.

        Raises RunLostError when it can't be known any more.
        """
        joined = await self._joined()
        needed = {name for name, its in (joined | self._always).items() if its == phase}
        missing = {name for name in needed if self._reached.get((name, phase), 0) < number}
        return await self._living_observers(missing) if phase == "observe" else missing

    async def _joined(self) -> dict[str, str]:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(TAPE_PARTICIPANTS)
        pipeline.get(TAPE_RUN)
        participants, run_id = await pipeline.execute()
        if self._run_id and run_id != self._run_id.encode():
            raise RunLostError(f"Redis has lost run {self._run_id}")
        return {name.decode(): phase.decode() for name, phase in participants.items()}

    async def _living_observers(self, observers: set[str]) -> set[str]:
        """Strikes those off the list whose process died without a word."""
        names = sorted(observers)
        if not names:
            return observers
        heartbeats = await self._redis.mget([observer_heartbeat(name) for name in names])
        for name, heartbeat in zip(names, heartbeats, strict=True):
            if heartbeat is None:
                await leave(self._redis, name)
        return {
            name for name, heartbeat in zip(names, heartbeats, strict=True) if heartbeat is not None
        }

    async def wait(self, phase: Phase, number: int) -> None:
        """Returns when nobody is missing. Waits as long as it takes: cancel it to give up.

        Raises RunLostError, because an acknowledgement that Redis lost never comes again.
        """
        missing = await self.missing(phase, number)
        while missing:
            if await self._collect(block_ms=200):
                missing = {name for name in missing if self._reached.get((name, phase), 0) < number}
            else:  # somebody may have left
                missing = await self.missing(phase, number)

    async def _collect(self, block_ms: int) -> bool:
        """Whether any acknowledgement came."""
        entries = await read_after(
            self._redis, TAPE_ACKS, self._cursor, count=1000, block_ms=block_ms
        )
        for entry_id, fields in entries:
            self._cursor = entry_id
            ack = _ack_decoder.decode(fields[b"b"])
            # Whoever was slow in a run that was stopped may answer only now.
            if ack.phase != "observe" and ack.run_id != self._run_id:
                continue
            key = (ack.participant, ack.phase)
            self._reached[key] = max(self._reached.get(key, 0), ack.number)
        return bool(entries)

    async def trim(self) -> None:
        """Drop from the tape what no participant would read again after a crash."""
        committed = await _texts(self._redis, TAPE_COMMITTED)
        joined = await _texts(self._redis, TAPE_PARTICIPANTS)
        readers = {name for name, phase in (joined | self._always).items() if phase != "observe"}
        if not readers or readers - set(committed):
            return
        oldest = min((committed[name] for name in readers), key=position)
        await self._redis.xtrim(TAPE, minid=oldest, approximate=True)


async def _texts(redis: Redis, key: str) -> dict[str, str]:
    pairs = cast("dict[bytes, bytes]", await redis.hgetall(key))
    return {name.decode(): value.decode() for name, value in pairs.items()}
