"""Divides the shards evenly among the processes that are there.

Every process says that it is there, with a lease of its own, and looks what the others own. While
one has two shards more than another, it returns some, as on a clean end, and whoever has fewer
takes them. Who has an even share already leaves returned shards to the others for a while, and
takes them all the same when nobody comes: no shard is without an owner because of the arithmetic.
The shards of who died are anybody's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import structlog
from sqlalchemy import Engine, text

from order_processor.shards.journal import LEASE_KIND
from shared.database import DatabaseThread
from shared.database.leases import Lease, acquire, release
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

PRESENCE_KIND = "order_processor"
#: Looks for which there must be too many: who has just joined may be about to leave, or to take
#: what another returns.
_PATIENCE_LOOKS = 4

_OWNED = text(
    """
    SELECT p.key AS name, count(s.key) AS shards
      FROM leases p
      LEFT JOIN leases s ON s.kind = :shards AND s.owner = p.key AND s.expires_at > now()
     WHERE p.kind = :processors AND p.expires_at > now()
     GROUP BY p.key
    """
)
#: Names never come again.
_FORGET = text(
    "DELETE FROM leases WHERE kind = :kind AND expires_at < now() - make_interval(hours => 1)"
)


class Seat(Protocol):
    @property
    def owns(self) -> bool: ...

    def give_back(self) -> None:
        """Return the shard when what is under way is committed, and let others have it."""


class Balance:
    def __init__(self, engine: Engine, name: str, shards: int, lease_duration_s: float) -> None:
        self._engine = engine
        #: Of this process alone.
        self.name = name
        self._shards = shards
        self._duration_s = lease_duration_s
        self._thread = DatabaseThread("balance")
        self._seats: Sequence[Seat] = ()
        #: Of an even division, rounded down; at first it is alone.
        self._share = shards
        self._looks_with_too_many = 0
        self._presence: Lease | None = None

    @property
    def has_share(self) -> bool:
        return self._owned >= self._share

    @property
    def _owned(self) -> int:
        return sum(seat.owns for seat in self._seats)

    @contextlib.asynccontextmanager
    async def among(self, seats: Sequence[Seat]) -> AsyncIterator[None]:
        """Be there for others to count, and keep to the share, while the block runs."""
        self._seats = seats
        looking = asyncio.create_task(self._run(), name="balance")
        try:
            yield
        finally:
            await end_tasks([looking])
            await self._leave()

    async def _run(self) -> None:
        while True:
            try:
                self._level(await self._thread.run(self._look))
            except Exception as error:  # noqa: BLE001 - Postgres is away: nothing is given back
                log.warning("processors_not_counted", error=repr(error))
            await asyncio.sleep(self._duration_s / 4)

    def _look(self) -> dict[str, int]:
        """How many shards each process owns, this one among them."""
        with self._engine.begin() as connection:
            # Longer than a shard's: that one process is slow must not make the others restless.
            self._presence = acquire(
                connection, PRESENCE_KIND, self.name, self.name, 3 * self._duration_s
            )
            connection.execute(_FORGET, {"kind": PRESENCE_KIND})
            rows = connection.execute(_OWNED, {"shards": LEASE_KIND, "processors": PRESENCE_KIND})
            return {row.name: row.shards for row in rows}

    def _level(self, owned: Mapping[str, int]) -> None:
        self._share = self._shards // len(owned)
        excess = to_return(self.name, owned, self._shards)
        self._looks_with_too_many = self._looks_with_too_many + 1 if excess else 0
        if self._looks_with_too_many < _PATIENCE_LOOKS:
            return
        log.info("shards_given_back", shards=excess, processors=len(owned))
        self._looks_with_too_many = 0
        for seat in [seat for seat in self._seats if seat.owns][:excess]:
            seat.give_back()

    async def _leave(self) -> None:
        """The others' shares grow at once; else they would when the lease runs out."""
        try:
            await self._thread.run(self._release)
        except Exception as error:  # noqa: BLE001 - Postgres is away
            log.warning("processor_not_signed_off", error=repr(error))
        self._thread.close()

    def _release(self) -> None:
        if self._presence is not None:
            with self._engine.begin() as connection:
                release(connection, self._presence)


def to_return(name: str, owned: Mapping[str, int], shards: int) -> int:
    """How many shards a process returns, so that none has two more than another. All processes
    that see the same come to results that fit together. None, while some shard is free: it has
    still to be taken."""
    if sum(owned.values()) != shards:
        return 0
    level = dict(owned)
    while True:
        richest = min(level, key=lambda each: (-level[each], each))
        poorest = min(level, key=lambda each: (level[each], each))
        if level[richest] - level[poorest] < 2:
            return max(0, owned[name] - level[name])
        level[richest] -= 1
        level[poorest] += 1
