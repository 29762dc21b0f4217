"""Which deployments are ours, and until when that is certain."""

import time
from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.database.leases import Lease
from strategy_workers.errors import until_done
from strategy_workers.runtime.deployment import DeploymentRecord
from strategy_workers.runtime.store import Store


class Ownership:
    def __init__(self, store: Store, lease_duration_s: float) -> None:
        self._store = store
        self._duration_s = lease_duration_s
        self._leases: dict[UUID, Lease] = {}
        #: `time.monotonic` until which nobody else can have taken one of the leases.
        self._certain_until = 0.0

    async def take_all(self, ids: Sequence[UUID]) -> list[DeploymentRecord]:
        """Of those that nobody else has."""
        began = time.monotonic()
        taken = await self._store.take_all(ids)
        if taken and not self._leases:
            self._certain_until = began + self._duration_s
        for lease, record in taken:
            self._leases[record.id] = lease
        return [record for _, record in taken]

    def lease(self, deployment_id: UUID) -> Lease | None:
        return self._leases.get(deployment_id)

    def leases(self, ids: Iterable[UUID]) -> list[Lease]:
        """Those that are ours."""
        return [self._leases[one] for one in ids if one in self._leases]

    def owns(self, deployment_id: UUID) -> bool:
        return deployment_id in self._leases

    def drop(self, deployment_id: UUID) -> None:
        self._leases.pop(deployment_id, None)

    async def renew(self) -> set[UUID]:
        """Ids of those that were lost meanwhile; they are dropped."""
        began = time.monotonic()
        asked = dict(self._leases)
        held = await self._store.renew(list(asked.values()))
        lost = set(asked) - {UUID(lease.key) for lease in held}
        for deployment_id in lost:
            if self._leases.get(deployment_id) is asked[deployment_id]:
                del self._leases[deployment_id]
        self._certain_until = began + self._duration_s
        return lost

    async def make_certain(self) -> None:
        """Before acting outside of a fenced transaction: acknowledging a mark, above all.

        A process that was asleep must not speak for a deployment that another has taken.
        """
        if self._leases and time.monotonic() >= self._certain_until:
            await until_done("renewal", self.renew)

    async def release(self, ids: Iterable[UUID]) -> None:
        """Let other workers have them at once; or when they expire, if the store is away."""
        leases = self.leases(ids)
        for lease in leases:
            self.drop(UUID(lease.key))
        await self._store.release(leases)

    async def release_all(self) -> None:
        await self.release(list(self._leases))
