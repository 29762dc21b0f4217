"""The runtime's transactions: each method is one, fenced by the leases of what it writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from shared.database import DatabaseThread
from shared.database.leases import (
    Lease,
    acquire_all,
    hold,
    hold_all,
    release,
    release_all,
    renew_all,
)
from shared.models.identifiers import Mode
from strategy_workers.backtests.versions import code_version
from strategy_workers.runtime import account_books, repository
from strategy_workers.runtime.account_books import Working
from strategy_workers.runtime.deployment import DeploymentRecord
from strategy_workers.runtime.desk import Signal
from strategy_workers.runtime.lines import Line
from strategy_workers.runtime.plots import Point
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.repository import Change, Wish

LEASE_KIND = "deployment"


@dataclass(frozen=True, slots=True)
class Save:
    """One deployment's part of a commit."""

    deployment_id: UUID
    snapshot: bytes
    cursor: str
    signals: int
    new_signals: Sequence[tuple[int, Signal]]
    new_lines: Sequence[tuple[int, Line]]
    new_points: Sequence[tuple[int, Point]]
    version: int
    #: The version decides from here on; and the market time there, if there has been any.
    is_first: bool
    applied_at: datetime | None


class Store:
    def __init__(
        self, engine: Engine, thread: DatabaseThread, owner: str, lease_duration_s: float
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._owner = owner
        self._duration_s = lease_duration_s

    async def unowned(self, limit: int) -> list[UUID]:
        def work() -> list[UUID]:
            with self._engine.connect() as connection:
                return repository.unowned(connection, limit)

        return await self._thread.run(work)

    async def unwanted(self, ids: Sequence[UUID]) -> dict[UUID, Wish]:
        def work() -> dict[UUID, Wish]:
            with self._engine.connect() as connection:
                return repository.unwanted(connection, ids)

        return await self._thread.run(work) if ids else {}

    async def release_held(self) -> None:
        def work() -> None:
            with self._engine.begin() as connection:
                repository.release_held(connection)

        await self._thread.run(work)

    async def changed(self, ids: Sequence[UUID]) -> dict[UUID, Change]:
        def work() -> dict[UUID, Change]:
            with self._engine.connect() as connection:
                return repository.changed(connection, ids)

        return await self._thread.run(work) if ids else {}

    async def snapshot(self, deployment_id: UUID) -> bytes | None:
        def work() -> bytes | None:
            with self._engine.connect() as connection:
                return repository.snapshot(connection, deployment_id)

        return await self._thread.run(work)

    async def take_all(self, ids: Sequence[UUID]) -> list[tuple[Lease, DeploymentRecord]]:
        """Those that no other worker has."""

        def work() -> list[tuple[Lease, DeploymentRecord]]:
            with self._engine.begin() as connection:
                keys = [str(one) for one in ids]
                leases = acquire_all(connection, LEASE_KIND, keys, self._owner, self._duration_s)
                taken = {UUID(lease.key): lease for lease in leases}
                records = repository.load_all(connection, list(taken))
                return [(taken[record.id], record) for record in records]

        return await self._thread.run(work)

    async def read_books(self, account_id: UUID, mode: Mode, deployment_id: UUID) -> Portfolio:
        def work() -> Portfolio:
            with self._at_one_moment() as connection:
                return account_books.read_books(connection, account_id, mode, deployment_id)

        return await self._thread.run(work)

    async def read_all_books(
        self, accounts: Sequence[tuple[UUID, Mode]]
    ) -> dict[tuple[UUID, Mode], Portfolio]:
        """As of deployments that have never sent an order."""

        def work() -> dict[tuple[UUID, Mode], Portfolio]:
            with self._at_one_moment() as connection:
                found = account_books.read_all_books(connection, accounts)
                return dict(zip(accounts, found, strict=True))

        return await self._thread.run(work)

    def _at_one_moment(self) -> Connection:
        return self._engine.connect().execution_options(isolation_level="REPEATABLE READ")

    async def account_frames(self, after: Mapping[str, int]) -> dict[str, list[tuple[int, bytes]]]:
        def work() -> dict[str, list[tuple[int, bytes]]]:
            with self._engine.connect() as connection:
                return repository.account_frames(connection, after)

        return await self._thread.run(work) if after else {}

    async def working_orders(
        self, account_id: UUID, mode: Mode, deployment_id: UUID
    ) -> list[Working]:
        def work() -> list[Working]:
            with self._at_one_moment() as connection:
                return account_books.working_orders(connection, account_id, mode, deployment_id)

        return await self._thread.run(work)

    async def save(self, leases: Sequence[Lease], saves: Iterable[Save]) -> set[UUID]:
        """All or nothing of those whose lease is still held; the ids of the lost ones."""

        def work() -> set[UUID]:
            with self._engine.begin() as connection:
                held = {UUID(lease.key) for lease in hold_all(connection, leases)}
                mine = [save for save in saves if save.deployment_id in held]
                if mine:
                    repository.store_snapshots(connection, [_row(save) for save in mine])
                    repository.store_first_marks(
                        connection,
                        [
                            {
                                **_row(save),
                                "applied_at": save.applied_at,
                                "code_version": code_version(),
                            }
                            for save in mine
                            if save.is_first
                        ],
                    )
                    repository.store_signals(
                        connection,
                        [
                            (save.deployment_id, seq, signal)
                            for save in mine
                            for seq, signal in save.new_signals
                        ],
                    )
                    repository.store_lines(
                        connection, {save.deployment_id: save.new_lines for save in mine}
                    )
                    repository.store_points(
                        connection, {save.deployment_id: save.new_points for save in mine}
                    )
                return {UUID(lease.key) for lease in leases} - held

        return await self._thread.run(work)

    async def end(
        self,
        lease: Lease,
        status: str,
        last_error: str | None = None,
        waits_for: str | None = None,
    ) -> None:
        """The deployment is paused or stopped, and free. Raises LeaseLostError."""

        def work() -> None:
            with self._engine.begin() as connection:
                hold(connection, lease)
                repository.set_status(connection, UUID(lease.key), status, last_error, waits_for)
                release(connection, lease)

        await self._thread.run(work)

    async def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        def work() -> list[Lease]:
            with self._engine.begin() as connection:
                return renew_all(connection, leases, self._duration_s)

        return await self._thread.run(work)

    async def release(self, leases: Sequence[Lease]) -> None:
        def work() -> None:
            with self._engine.begin() as connection:
                release_all(connection, leases)

        await self._thread.run(work)


def _row(save: Save) -> dict[str, object]:
    return {
        "id": save.deployment_id,
        "snapshot": save.snapshot,
        "cursor": save.cursor,
        "signals": save.signals,
        "version": save.version,
    }
