"""What a worker writes of the jobs that it runs: a transaction a method, fenced by the lease.

Blocking: called from threads.
"""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.leases import Lease, LeaseLostError, acquire, hold, release, renew
from shared.database.tables import BacktestRow, utc_now
from strategy_workers.jobs import repository
from strategy_workers.jobs.request import (
    JobDone,
    JobFailure,
    JobProgress,
    JobRequest,
    UploadedCode,
)
from strategy_workers.uploads.catalogue import code_of
from strategy_workers.uploads.repository import find as find_version

#: Workers that die of a job must not do so for ever.
_MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Claim:
    backtest_id: UUID
    lease: Lease
    request: JobRequest
    uploaded: list[UploadedCode] = field(default_factory=list)


class JobStore:
    def __init__(self, engine: Engine, owner: str, lease_duration_s: float) -> None:
        self._engine = engine
        self._owner = owner
        self._duration_s = lease_duration_s

    def claim(self) -> Claim | None:
        """The next job, ours from now on; None when there is nothing to do."""
        while True:
            with Session(self._engine) as session, session.begin():
                row = repository.free_one(session)
                if row is None:
                    return None
                lease = acquire(
                    session.connection(),
                    repository.LEASE_KIND,
                    str(row.id),
                    self._owner,
                    self._duration_s,
                )
                if lease is None:
                    return None
                if row.cancel_wanted:
                    _end(row, "cancelled")
                elif row.attempts >= _MOST_ATTEMPTS:
                    message = f"{row.attempts} workers ended while they ran it."
                    _fail(row, JobFailure("worker_lost", message))
                else:
                    row.status = "running"
                    row.attempts += 1
                    row.started_at = utc_now()
                    row.rows_done, row.rows_total = 0, None
                    request = JobRequest.of(row.request)
                    return Claim(row.id, lease, request, _code(session, request))
                release(session.connection(), lease)

    def beat(self, claim: Claim, progress: JobProgress) -> bool:
        """Whether it is to be cancelled. Raises LeaseLostError."""
        with Session(self._engine) as session, session.begin():
            renew(session.connection(), claim.lease, self._duration_s)
            row = _row(session, claim)
            row.rows_done, row.rows_total = progress.done, progress.total
            return row.cancel_wanted

    def finish(self, claim: Claim, done: JobDone, result: bytes) -> None:
        """Raises LeaseLostError."""
        with Session(self._engine) as session, session.begin():
            hold(session.connection(), claim.lease)
            row = _row(session, claim)
            row.summary, row.result = done.summary, result
            row.result_digest, row.data_digest = done.result_digest, done.data_digest
            row.code_version = done.code_version
            row.rows_done = row.rows_total = done.summary["rows"]
            _end(row, "done")
            release(session.connection(), claim.lease)

    def fail(self, claim: Claim, failure: JobFailure) -> None:
        """Raises LeaseLostError."""
        with Session(self._engine) as session, session.begin():
            hold(session.connection(), claim.lease)
            _fail(_row(session, claim), failure)
            release(session.connection(), claim.lease)

    def cancelled(self, claim: Claim) -> None:
        """Raises LeaseLostError."""
        with Session(self._engine) as session, session.begin():
            hold(session.connection(), claim.lease)
            _end(_row(session, claim), "cancelled")
            release(session.connection(), claim.lease)

    def put_back(self, claim: Claim) -> None:
        """For another worker: this one goes. Raises LeaseLostError."""
        with Session(self._engine) as session, session.begin():
            hold(session.connection(), claim.lease)
            row = _row(session, claim)
            row.status = "waiting"
            row.attempts -= 1
            row.started_at = None
            release(session.connection(), claim.lease)


def _code(session: Session, request: JobRequest) -> list[UploadedCode]:
    """Also of versions that were taken back: what has been run can be run again."""
    found = []
    for version in sorted(request.uploaded_versions):
        row = find_version(session, request.strategy, version)
        if row is not None:
            found.append(UploadedCode(version, *code_of(row)))
    return found


def _row(session: Session, claim: Claim) -> BacktestRow:
    row = repository.lock(session, claim.backtest_id)
    if row is None or row.status != "running":
        # Our own commit came through though its answer didn't.
        raise LeaseLostError(f"backtest/{claim.backtest_id} has ended")
    return row


def _fail(row: BacktestRow, failure: JobFailure) -> None:
    row.error_code, row.error = failure.code, failure.message
    _end(row, "failed")


def _end(row: BacktestRow, status: str) -> None:
    row.status = status
    row.finished_at = utc_now()
