"""Carries a live market: marks from the wall clock, prints and quotes as soon as they come."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial

from market_data_engine.feeds.events import FeedEvent
from market_data_engine.feeds.following import FeedStatus, Follower
from market_data_engine.feeds.live import LiveFeed
from market_data_engine.live.arrivals import Arrivals
from market_data_engine.live.recent import Minute, RecentPrints
from market_data_engine.live.resumption import Resumed
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.replays.marks import Marks
from market_data_engine.store.stored import Quality
from shared.candles.timeframes import MINUTE_NS
from shared.models.market import Candle
from shared.replays.candles import RunCandles
from shared.utils.tasks import end_tasks

#: A mark comes at each whole second of market time.
STEP_NS = 1_000_000_000
#: Lists of events that wait for the tape; beyond, the feeds' connections wait.
_QUEUE_LISTS = 1000

_Told = tuple[str, list[FeedEvent]]


class LiveRunner:
    """`grace_ns`: market time is so far behind the wall clock, so that a print of a slice finds
    its way here before the slice ends."""

    def __init__(
        self,
        followed: Sequence[tuple[LiveFeed, Sequence[str]]],
        marks: Marks,
        candles: RunCandles,
        *,
        grace_ns: int,
        late_grace_ns: int = 0,
        amend: Callable[[RecentPrints, Sequence[Minute]], list[Candle]] | None = None,
        watch: Callable[[Sequence[FeedStatus]], Coroutine[None, None, None]] | None = None,
        resumed: Resumed | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`amend` makes the completed candles of these minutes again, for prints up to
        `late_grace_ns` late; `watch` looks after the feeds' silence while they are followed;
        what was `resumed` as completed belongs to the first mark."""
        resumed = resumed or Resumed()
        self.marks = marks
        self._candles = candles
        self._grace_ns = grace_ns
        self._watch = watch
        self._wall_ns = wall_ns
        self._told: asyncio.Queue[_Told] = asyncio.Queue(_QUEUE_LISTS)
        symbols = (symbol for _, symbols in followed for symbol in symbols)
        self._arrivals = Arrivals(symbols, 0 if amend is None else late_grace_ns, resumed.prints)
        self._amend = amend
        self._followers = [
            Follower(feed, symbols, partial(self._hear, feed.name)) for feed, symbols in followed
        ]
        self.feeds = [follower.status for follower in self._followers]
        #: Candles that prints have completed since the last mark.
        self._completed: list[Candle] = resumed.completed
        self._feed_of = {symbol: status for status in self.feeds for symbol in status.symbols}
        marks.quality_of = self._quality_of

    async def _hear(self, name: str, events: list[FeedEvent]) -> None:
        await self._told.put((name, events))

    async def carry(self) -> None:
        """Until cancelled, or until something fails that isn't a feed."""
        await self.marks.begin()
        following = [
            asyncio.create_task(follower.follow(), name=f"feed-{follower.status.name}")
            for follower in self._followers
        ]
        if self._watch is not None:
            following.append(asyncio.create_task(self._watch(self.feeds), name="silence"))
        try:
            mark_ns = _next_step(self._wall_ns() - self._grace_ns)
            while True:
                await self._listen_until(mark_ns + self._grace_ns)
                for task in following:
                    if task.done():
                        task.result()
                if self._wall_ns() >= mark_ns + self._grace_ns:
                    await self._mark(mark_ns)
                    mark_ns = self._following_mark(mark_ns)
                else:
                    await self._put(mark_ns)
        finally:
            await end_tasks(following)
            for status in self.feeds:
                status.state, status.problem, status.stale = "idle", None, False
                status.presence.lost()

    def _quality_of(self, candle: Candle) -> Quality:
        there = self._feed_of[candle.symbol].presence.covers(candle.start_ns)
        return "complete" if there else "partial"

    def _following_mark(self, mark_ns: int) -> int:
        """The next step; after a halt of this process the last one that is due, but no further
        than a minute's end, since a slice lies within its minute."""
        due_ns = self._wall_ns() - self._grace_ns
        due_ns -= due_ns % STEP_NS
        minute_end_ns = mark_ns - mark_ns % MINUTE_NS + MINUTE_NS
        return max(mark_ns + STEP_NS, min(due_ns, minute_end_ns))

    async def _listen_until(self, wall_ns: int) -> None:
        """Takes in what is told until then; returns earlier when there is something."""
        try:
            async with asyncio.timeout(max(0.0, (wall_ns - self._wall_ns()) / 1e9)):
                self._take_in(*await self._told.get())
        except TimeoutError:
            return
        while not self._told.empty():
            self._take_in(*self._told.get_nowait())

    def _take_in(self, name: str, events: list[FeedEvent]) -> None:
        wall_ns = self._wall_ns()
        for event in events:
            FEED_EVENTS.labels(name, self._arrivals.add(event, wall_ns)).inc()

    async def _put(self, mark_ns: int) -> None:
        piece = self._arrivals.take(mark_ns, mark=False)
        if piece is None:
            return
        self._completed += self._candles.take(piece)
        self.marks.note(piece)
        await self.marks.put(piece.entries())

    async def _mark(self, mark_ns: int) -> None:
        touched = self._arrivals.touched()
        if self._amend is not None and touched:
            # Before the mark, so that what it completes has what is amended in it.
            await self.marks.correct(self._amend(self._arrivals.recent, touched))
        piece = self._arrivals.take(mark_ns, mark=True)
        completed, self._completed = self._completed, []
        if piece is None:
            await self.marks.mark(mark_ns, completed + self._candles.advance(mark_ns))
            return
        completed += self._candles.add(piece)
        self.marks.note(piece)
        await self.marks.mark(mark_ns, completed, piece.entries())


def _next_step(at_ns: int) -> int:
    return at_ns - at_ns % STEP_NS + STEP_NS
