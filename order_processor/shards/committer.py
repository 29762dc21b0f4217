"""Commits a shard's batches one after another, and tells of each when it is durable.

While one is being committed the desk applies what goes into the next. So the memory is ahead of
the tables by the batch under way and the one being collected, and nobody is told of either:
answers, frames, equity and acknowledgements wait for the commit. When a commit fails, nothing of
the later batch was begun; both are dropped with the desk.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, perf_counter

from redis.asyncio import Redis

from order_processor.metrics import BATCH_COMMANDS, COMMIT_SECONDS, SHARD_COMMANDS, SHARD_SECONDS
from order_processor.shards.batch import Answer, Batch, Sealed
from order_processor.shards.equity import EquityMarker
from order_processor.shards.journal import Journal
from order_processor.shards.state import Cursors
from shared.database.leases import Lease
from shared.redis.keys import order_commands
from shared.redis.requests import encode_replies
from shared.redis.topics import add_frames, check_frames
from shared.utils.tasks import end_tasks


class Committer:
    def __init__(
        self,
        shard: int,
        lease: Lease,
        journal: Journal,
        redis: Redis,
        equity: EquityMarker,
        stored: Cursors,
        published: int,
        wake: Callable[[], None],
    ) -> None:
        self._shard = shard
        self._lease = lease
        self._journal = journal
        self._redis = redis
        self._equity = equity
        self._wake = wake
        self._task: asyncio.Task[None] | None = None
        #: The shard's row as it was committed last, and when.
        self.stored = stored
        self.committed_at = monotonic()
        #: Number of the last event that was published.
        self.published = published

    @property
    def busy(self) -> bool:
        """Whether a batch is under way: the next one can't begin."""
        return self._task is not None

    def begin(self, sealed: Sealed) -> None:
        assert self._task is None, "one batch at a time"
        self._task = asyncio.create_task(self._commit(sealed), name=f"commit-{self._shard}")
        self._task.add_done_callback(lambda _: self._wake())

    def finish(self) -> bool:
        """Whether the batch under way is through now: true once for each. Raises what went
        wrong; then the memory can't be trusted any more."""
        if self._task is None or not self._task.done():
            return False
        done, self._task = self._task, None
        done.result()
        return True

    async def settle(self) -> None:
        """Wait until nothing is under way. Raises what went wrong."""
        if self._task is not None:
            await asyncio.wait([self._task])
            self.finish()

    async def end(self) -> None:
        """Wait no longer. A commit that was begun may still be carried out: the next use of the
        journal comes after it."""
        if self._task is not None:
            await end_tasks([self._task])

    async def _commit(self, sealed: Sealed) -> None:
        batch, began = sealed.batch, perf_counter()
        await self._journal.commit(self._lease, batch, sealed.market, self.stored, sealed.cursors)
        # Durable. From here on a crash loses answers and frames, which are asked for again.
        self.stored = sealed.cursors
        self.committed_at = monotonic()
        took_s = perf_counter() - began
        COMMIT_SECONDS.observe(took_s)
        SHARD_SECONDS.labels(self._shard, "commit").inc(took_s)
        if batch.commands:
            BATCH_COMMANDS.observe(batch.commands)
            SHARD_COMMANDS.labels(self._shard).inc(batch.commands)
        await self._announce(batch)
        await self._equity.publish(sealed.equity)
        SHARD_SECONDS.labels(self._shard, "announce").inc(perf_counter() - began - took_s)

    async def _announce(self, batch: Batch) -> None:
        """In one round trip. Whoever waits for an answer comes first."""
        if not batch.commands and not batch.frames:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for channel, answers in _by_channel(batch.answers).items():
            for message in encode_replies(answers):
                pipeline.publish(channel, message)
        if batch.commands:
            stream = order_commands(self._shard)
            pipeline.xtrim(stream, minid=self.stored.command, approximate=False)
        add_frames(pipeline, ((frame.topic, frame.seq, frame.body) for frame in batch.frames))
        check_frames(await pipeline.execute(raise_on_error=False))
        self.published = batch.event_seq


def _by_channel(answers: list[Answer]) -> dict[str, list[bytes]]:
    by_channel: dict[str, list[bytes]] = {}
    for answer in answers:
        by_channel.setdefault(answer.channel, []).append(answer.body)
    return by_channel
