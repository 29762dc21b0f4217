"""Works on the queue while this engine carries the market: some jobs of each tier at a time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.backfill import repository
from market_data_engine.backfill.healing import Healer, NotYet
from market_data_engine.backfill.queue import JobQueue
from market_data_engine.backfill.schemas import Job
from market_data_engine.errors import LeadershipLostError
from market_data_engine.metrics import JOBS_DONE
from market_data_engine.providers.configuration import Tier
from market_data_engine.providers.providers import NoProviderError
from market_data_engine.store.store import StoreAwayError
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

#: Jobs of a tier that are worked on at a time: no tier can keep another one waiting.
CONCURRENCY: Final[Mapping[Tier, int]] = {"T0": 4, "T1": 2, "T2": 1}
#: Failures of providers that were asked, until a job is dead: about half an hour.
MOST_ATTEMPTS: Final = 10
_IDLE_PAUSE_S = 0.5
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0
#: Nobody could be asked, or the store is away: that is no failure of the job.
_AWAY_PAUSE_S = 15.0


class Workers:
    def __init__(
        self,
        queue: JobQueue,
        healer: Healer,
        *,
        leads: Callable[[], bool],
        idle_pause_s: float = _IDLE_PAUSE_S,
        away_pause_s: float = _AWAY_PAUSE_S,
        random: Random | None = None,
    ) -> None:
        self._queue = queue
        self._healer = healer
        self._leads = leads
        self._idle_pause_s = idle_pause_s
        self._away_pause_s = away_pause_s
        #: Nobody could be asked for jobs of the tier: until then only folds are done.
        self._rests_until_s: dict[Tier, float] = {}
        self._random = random or Random()  # noqa: S311 - spreads attempts, guards nothing

    async def take_over(self) -> None:
        """What an engine before this one had begun."""
        await self._queue.transact(repository.release_running)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._work(tier), name=f"data-jobs-{tier}")
            for tier, count in CONCURRENCY.items()
            for _ in range(count)
        ]
        try:
            yield
        finally:
            await end_tasks(tasks)

    async def _work(self, tier: Tier) -> None:
        while True:
            try:
                if self._leads() and await self.work_once(tier):
                    continue
            except (SQLAlchemyError, RedisError) as error:
                log.warning("data_jobs_away", error=repr(error))
            except Exception as error:
                log.error("data_jobs_fault", exc_info=error)
            await asyncio.sleep(self._idle_pause_s)

    async def work_once(self, tier: Tier) -> bool:
        """The next job that is due; False when there is none."""
        rests = time.monotonic() < self._rests_until_s.get(tier, 0.0)
        job = await self._queue.transact(
            lambda connection: repository.claim(
                connection, tier, self._queue.now(), only_folds=rests
            )
        )
        if job is None:
            return False
        try:
            done = await self._healer.do(job)
        except NoProviderError as error:
            await self._after_failure(job, error)
        except (StoreAwayError, SQLAlchemyError, RedisError, LeadershipLostError) as error:
            log.warning("data_job_waits", job=str(job.id), error=repr(error))
            await self._postpone(job, job.attempts, self._away_pause_s, repr(error))
        except Exception as error:
            log.error("data_job_fault", job=str(job.id), exc_info=error)
            await self._try_again(job, f"A fault of ours: {type(error).__name__}.", 0.0)
        else:
            if isinstance(done, NotYet):
                not_before = done.not_before
                await self._queue.transact(
                    lambda connection: repository.postpone(
                        connection, job.id, job.attempts, not_before, None, self._queue.now()
                    )
                )
                return True
            provider, candles = done.provider, done.candles
            await self._queue.transact(
                lambda connection: repository.finish(
                    connection, job, provider, candles, self._queue.now()
                )
            )
            JOBS_DONE.labels(job.kind, job.tier, "done").inc()
        return True

    async def _after_failure(self, job: Job, error: NoProviderError) -> None:
        if error.declined:
            await self._bury(job, str(error))
        elif not error.asked:
            pause_s = max(self._away_pause_s, error.retry_after_s)
            # One job after the other would only learn the same.
            self._rests_until_s[job.tier] = time.monotonic() + pause_s
            await self._postpone(job, job.attempts, pause_s, str(error))
        else:
            await self._try_again(job, str(error), error.retry_after_s)

    async def _try_again(self, job: Job, problem: str, least_s: float) -> None:
        if job.attempts + 1 >= MOST_ATTEMPTS:
            await self._bury(job, problem)
            return
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**job.attempts)
        # Spread, so that all that failed together don't come back together.
        pause_s *= 0.5 + self._random.random() / 2
        await self._postpone(job, job.attempts + 1, max(pause_s, least_s), problem)

    async def _postpone(self, job: Job, attempts: int, pause_s: float, problem: str) -> None:
        not_before = self._queue.now() + timedelta(seconds=pause_s)
        await self._queue.transact(
            lambda connection: repository.postpone(
                connection, job.id, attempts, not_before, problem, self._queue.now()
            )
        )
        JOBS_DONE.labels(job.kind, job.tier, "postponed").inc()

    async def _bury(self, job: Job, problem: str) -> None:
        await self._queue.transact(
            lambda connection: repository.bury(
                connection, job, job.attempts + 1, problem, self._queue.now()
            )
        )
        JOBS_DONE.labels(job.kind, job.tier, "dead").inc()
        log.warning("data_job_dead", job=str(job.id), symbol=job.symbol, problem=problem)
