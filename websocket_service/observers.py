"""Clients that take part in pacing: a run waits for their acknowledgements."""

import asyncio
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.redis import tape

log = structlog.get_logger()

_HEARTBEAT_S = tape.OBSERVER_HEARTBEAT_S / 3
_RETRY_AFTER_S = 0.5


class Observer:
    """One client. Only its newest acknowledgement counts, so only that is sent."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.participant = f"client:{uuid4()}"
        self._number: int | None = None
        self._sending: asyncio.Task[None] | None = None

    def acknowledge(self, number: int) -> None:
        self._number = number
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name=f"acks-{self.participant}")

    async def _send(self) -> None:
        try:
            while self._number is not None:
                number, self._number = self._number, None
                try:
                    await tape.acknowledge_observed(self._redis, self.participant, number)
                except RedisError as error:
                    log.warning("acknowledgement_not_sent", error=repr(error))
                    self._number = self._number or number  # the run waits for it
                    await asyncio.sleep(_RETRY_AFTER_S)
        finally:
            self._sending = None

    def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()


class Observers:
    """All of this process. When it dies without a word, the engine strikes them off."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._present: dict[str, Observer] = {}

    async def join(self) -> Observer:
        """Raises a redis error when it can't be made known."""
        observer = Observer(self._redis)
        self._present[observer.participant] = observer
        try:
            await tape.join(self._redis, observer.participant, "observe")
        except BaseException:
            del self._present[observer.participant]
            raise
        return observer

    async def leave(self, observer: Observer) -> None:
        """Without Redis it can't be told; then its heartbeat runs out."""
        self._present.pop(observer.participant, None)
        observer.stop()
        try:
            await tape.leave(self._redis, observer.participant)
        except RedisError as error:
            log.warning("observer_left_silently", error=repr(error))

    async def run(self) -> None:
        """Speak for the present observers until cancelled."""
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            if not self._present:
                continue
            try:
                await tape.keep_observing(self._redis, list(self._present))
            except RedisError as error:
                log.warning("observers_not_spoken_for", error=repr(error))
