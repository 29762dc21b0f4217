"""Which process owns which shard: every process tries for each, the lease decides."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from order_processor.errors import (
    ActionFaultError,
    LeaseLostError,
    ShardFault,
    UnappliableError,
    UnstorableError,
)
from order_processor.metrics import SHARD_EPOCH, SHARD_FAULTS
from order_processor.shards.balance import Balance
from order_processor.shards.journal import Journal
from order_processor.shards.owner import ShardOwner
from order_processor.shards.poison import Poison
from shared.database.leases import Lease

log = structlog.get_logger()

_PAUSE_AFTER_FAULT_S = 0.2

#: Makes the owner for a lease just taken: (lease, commands to refuse, stopping).
MakeOwner = Callable[[Lease, Poison, asyncio.Event], ShardOwner]


class ShardSeat:
    """This process's claim on one shard: stand by, own, and begin again after a fault."""

    def __init__(
        self,
        shard: int,
        owner_name: str,
        journal: Journal,
        make_owner: MakeOwner,
        *,
        balance: Balance,
        try_every_s: float,
        stand_back_s: float,
    ) -> None:
        self._shard = shard
        self._owner_name = owner_name
        self._journal = journal
        self._make_owner = make_owner
        self._balance = balance
        self._try_every_s = try_every_s
        #: How long a returned shard is left to others when this process has its share.
        self._stand_back_s = stand_back_s
        self._stopping = asyncio.Event()
        #: Ends the spell of owning that is under way.
        self._leaving = asyncio.Event()
        self._owner: ShardOwner | None = None
        self._poison = Poison(shard)

    @property
    def owns(self) -> bool:
        return self._owner is not None

    def stop(self) -> None:
        """Finish the batch, return the lease, end."""
        self._stopping.set()
        self.give_back()

    def give_back(self) -> None:
        """Finish the batch, return the lease, and leave the shard to others for a while: for
        who has its share."""
        if self._owner is not None:
            self._leaving.set()
            self._owner.wake()

    async def run(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._claim_once()
        finally:
            self._journal.close()

    async def _claim_once(self) -> None:
        faulted = False
        lease = await self._try_to_take()
        if lease is not None:
            faulted = not await self._own(lease)
        await self._pause(_PAUSE_AFTER_FAULT_S if faulted else self._try_every_s)

    async def _try_to_take(self) -> Lease | None:
        leave_s = self._stand_back_s if self._balance.has_share else 0.0
        try:
            return await self._journal.acquire(self._owner_name, leave_returned_s=leave_s)
        except Exception as error:  # noqa: BLE001 - Postgres is away: try again
            log.warning("lease_not_taken", shard=self._shard, error=repr(error))
            return None

    async def _own(self, lease: Lease) -> bool:
        """Whether it ended well; after a fault the shard is taken and loaded anew."""
        SHARD_EPOCH.labels(self._shard).set(lease.epoch)
        self._leaving.clear()
        self._owner = self._make_owner(lease, self._poison, self._leaving)
        if self._stopping.is_set():
            self._leaving.set()
        try:
            await self._owner.run()
            await self._journal.release(lease)
        except LeaseLostError:
            log.warning("shard_lost", shard=self._shard, epoch=lease.epoch)
            SHARD_FAULTS.labels(self._shard, "lease_lost").inc()
        except UnappliableError as error:
            self._poison.unappliable(error)
            self._note_fault(error)
            return False
        except ActionFaultError as error:
            self._poison.action_failed(error)
            self._note_fault(error)
            return False
        except UnstorableError as error:
            self._poison.unstorable(error)
            self._note_fault(error)
            return False
        except ShardFault as error:
            self._note_fault(error)
            return False
        except Exception as error:  # noqa: BLE001 - whatever it was, the tables are the truth
            self._note_fault(error)
            return False
        else:
            log.info("shard_returned", shard=self._shard, epoch=lease.epoch)
        finally:
            self._owner = None
            SHARD_EPOCH.labels(self._shard).set(0)
        return True

    def _note_fault(self, error: Exception) -> None:
        log.error("shard_fault", shard=self._shard, exc_info=error)
        SHARD_FAULTS.labels(self._shard, type(error).__name__).inc()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
