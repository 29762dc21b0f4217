"""Jobs that other programs put on a stream become rows of the queue.

A consumer group reads the stream, so what an engine has read and not finished is read again by the
next one. An entry goes only when its jobs are rows. What can never become a job, or has been read
again and again by engines that didn't live to finish it, goes to the dead letters, with the reason.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from market_data_engine.backfill.actions import DataJobs
from market_data_engine.backfill.schemas import DeadOrder, DeadOrderList, JobRequest
from market_data_engine.errors import Refused
from market_data_engine.metrics import JOB_ORDERS
from market_data_engine.providers.configuration import Tier
from shared.models.base import NOT_DECODABLE
from shared.models.data_jobs import BODY, FetchCandles
from shared.redis.keys import DATA_JOBS, DATA_JOBS_DEAD
from shared.redis.streams import BEGINNING, StreamEntry, entries, read_entries
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

GROUP: Final = "engines"
_AT_ONCE = 16
_BLOCK_MS = 1000
_PAUSE_S = 1.0
#: What was read so long ago and isn't finished is read again, whoever read it.
_CLAIMED_AFTER_MS = 30_000
_CLAIM_PAUSE_S = 10.0
#: Readings without an end, until an entry is taken for poison.
_MOST_READINGS = 5
_DEAD_KEPT = 10_000
_STORE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, RedisError)

_decoder = msgspec.json.Decoder(FetchCandles)


class JobIntake:
    """`name`: of this engine among the group's consumers."""

    def __init__(
        self,
        redis: Redis,
        jobs: DataJobs,
        name: str,
        *,
        leads: Callable[[], bool],
        claimed_after_ms: int = _CLAIMED_AFTER_MS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis: Any = redis
        self._jobs = jobs
        self._name = name
        self._leads = leads
        self._claimed_after_ms = claimed_after_ms
        self._clock_s = clock_s
        self._claim_due_s = 0.0
        #: Where the next claim begins.
        self._claimed_to = BEGINNING
        #: When the stream last asked for something of the tier.
        self._fed_s: dict[Tier, float] = {}

    def fed_within(self, tier: Tier, pause_s: float) -> bool:
        fed_s = self._fed_s.get(tier)
        return fed_s is not None and self._clock_s() - fed_s < pause_s

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._take_always(), name="job-intake")
        try:
            yield
        finally:
            await end_tasks([task])

    async def _take_always(self) -> None:
        while True:
            try:
                if self._leads() and await self.take(_BLOCK_MS):
                    continue
            except (RedisError, SQLAlchemyError) as error:
                log.warning("job_intake_waits", error=repr(error))
            except Exception as error:
                log.error("job_intake_fault", exc_info=error)
            await asyncio.sleep(_PAUSE_S)

    async def take(self, block_ms: int | None = None) -> bool:
        """Whether all that was read is finished; False when there is no room for more jobs."""
        await self._join()
        now_s = self._clock_s()
        if now_s >= self._claim_due_s:
            self._claim_due_s = now_s + _CLAIM_PAUSE_S
            if not await self._take_over():
                return False
        answer = await self._redis.xreadgroup(
            GROUP, self._name, {DATA_JOBS: ">"}, count=_AT_ONCE, block=block_ms
        )
        return await self._finish(_each(read_entries(answer)))

    async def _join(self) -> None:
        try:
            await self._redis.xgroup_create(DATA_JOBS, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _take_over(self) -> bool:
        """What was read and not finished: by an engine that is gone, or while there was no room."""
        # Claimed by id alone, none counts as read: each does so when its turn comes, so that the
        # one that engines die of takes none of its batch along.
        claimed: list[bytes] = await self._redis.xautoclaim(
            DATA_JOBS, GROUP, self._name, self._claimed_after_ms, self._claimed_to,
            count=_AT_ONCE, justid=True,
        )  # fmt: skip
        # All have their turn, however many wait.
        self._claimed_to = f"({claimed[-1].decode()}" if len(claimed) == _AT_ONCE else BEGINNING
        return await self._finish(self._read_again(claimed))

    async def _read_again(self, claimed: list[bytes]) -> AsyncIterator[StreamEntry]:
        for entry_id in claimed:
            pending = await self._redis.xpending_range(
                DATA_JOBS, GROUP, min=entry_id, max=entry_id, count=1
            )
            for entry in entries(
                await self._redis.xclaim(DATA_JOBS, GROUP, self._name, 0, [entry_id])
            ):
                if pending and pending[0]["times_delivered"] >= _MOST_READINGS:
                    await self._bury(entry, f"It was read {_MOST_READINGS} times without an end.")
                else:
                    yield entry

    async def _finish(self, read: AsyncIterator[StreamEntry]) -> bool:
        """Whether there was room for all."""
        full: set[Tier] = set()
        async for entry in read:
            wanted = _wanted(entry)
            if isinstance(wanted, str):
                await self._bury(entry, wanted)
            elif wanted.tier in full:
                await self._let_wait(entry)
            elif not await self._add(entry, wanted):
                full.add(wanted.tier)
        return not full

    async def _add(self, entry: StreamEntry, wanted: JobRequest) -> bool:
        """False when the tier is full."""
        try:
            added = await self._jobs.add(wanted)
        except _STORE_AWAY:
            await self._not_its_fault(entry)
            raise
        except Exception as error:
            # Another reading may end well; after the last one it is poison. Others go on.
            log.error("job_order_fault", entry=entry.id, exc_info=error)
            return True
        if isinstance(added, Refused):
            if added.code == "queue_full":
                await self._let_wait(entry)
                return False
            await self._bury(entry, added.message)
            return True
        self._fed_s[wanted.tier] = self._clock_s()
        await self._redis.xack(DATA_JOBS, GROUP, entry.id)
        await self._redis.xdel(DATA_JOBS, entry.id)
        JOB_ORDERS.labels("taken").inc()
        return True

    async def _let_wait(self, entry: StreamEntry) -> None:
        """It is read again when there may be room."""
        await self._not_its_fault(entry)
        JOB_ORDERS.labels("waiting").inc()

    async def _not_its_fault(self, entry: StreamEntry) -> None:
        """Its readings don't count."""
        await self._redis.xclaim(
            DATA_JOBS, GROUP, self._name, 0, [entry.id], retrycount=0, justid=True
        )

    async def _bury(self, entry: StreamEntry, reason: str) -> None:
        body = entry.fields.get(BODY.encode(), b"")[:10_000]
        pipeline = self._redis.pipeline(transaction=True)
        dead = {BODY: body, "reason": reason[:1000], "id": entry.id}
        pipeline.xadd(DATA_JOBS_DEAD, dead, maxlen=_DEAD_KEPT, approximate=True)
        pipeline.xack(DATA_JOBS, GROUP, entry.id)
        pipeline.xdel(DATA_JOBS, entry.id)
        await pipeline.execute()
        JOB_ORDERS.labels("dead").inc()
        log.warning("job_order_dead", entry=entry.id, reason=reason)


async def dead_orders(redis: Redis, before: str | None, limit: int) -> DeadOrderList:
    """Newest first."""
    newest = "+" if before is None else f"({before}"
    found = entries(await redis.xrevrange(DATA_JOBS_DEAD, max=newest, count=limit + 1))
    items = [
        DeadOrder(
            id=entry.id,
            order_id=entry.fields[b"id"].decode(),
            reason=entry.fields[b"reason"].decode(),
            body=entry.fields[BODY.encode()].decode("utf-8", "replace"),
        )
        for entry in found[:limit]
    ]
    return DeadOrderList(items=items, next_cursor=items[-1].id if len(found) > limit else None)


async def _each(read: list[StreamEntry]) -> AsyncIterator[StreamEntry]:
    for entry in read:
        yield entry


def _wanted(entry: StreamEntry) -> JobRequest | str:
    """What it asks for, or why it asks for nothing."""
    body = entry.fields.get(BODY.encode())
    if body is None:
        return f"It has no field {BODY}."
    try:
        said = _decoder.decode(body)
        return JobRequest.model_validate(
            {name: getattr(said, name) for name in JobRequest.model_fields}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg']}."
    except NOT_DECODABLE as error:
        return f"It can't be read: {error}."
