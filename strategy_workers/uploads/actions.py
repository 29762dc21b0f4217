"""What can be asked of uploaded strategies."""

import threading
from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import StrategyVersionRow, utc_now
from shared.service.problems import Problem
from strategy_workers.library import Catalogue
from strategy_workers.sandbox.archive import digest_of, encoded_files, files_of
from strategy_workers.sandbox.process import Limits
from strategy_workers.sandbox.report import CANDLES, Report
from strategy_workers.sandbox.source import BadSourceError
from strategy_workers.uploads import repository

Decision = Literal["approved", "rejected", "removed"]

#: Versions of one author that are not removed.
_MOST_VERSIONS = 200
#: How long an upload waits for its turn to be tried.
_TURN_S = 15.0
#: What may follow what. A version that was removed stays so: upload it again.
_FOLLOWS: dict[str, tuple[Decision, ...]] = {
    "pending": ("approved", "rejected", "removed"),
    "approved": ("removed",),
    "rejected": ("approved", "removed"),
    "removed": (),
}


class Uploads:
    """Each method is one transaction, and raises Problem for what it refuses."""

    def __init__(
        self, engine: Engine, library: Catalogue, limits: Limits, candles: int = CANDLES
    ) -> None:
        """`candles`: minutes of a trial."""
        self._engine = engine
        self._library = library
        self._limits = limits
        self._candles = candles
        #: One at a time: a dry run takes a core.
        self._trying = threading.Lock()

    def upload(
        self, author_id: UUID, file_name: str, body: bytes
    ) -> tuple[StrategyVersionRow, bool]:
        """The version, and whether it is new: the same code again is the same version."""
        try:
            files = files_of(file_name, body)
        except BadSourceError as error:
            raise Problem(422, "invalid_strategy_file", str(error)) from None
        report = self._try(files)
        if report.manifest is None or not report.valid:
            raise _invalid(report)
        name = report.manifest.name
        if self._library.find(name) is not None:
            raise _taken(name)
        encoded, digest = encoded_files(files), digest_of(files)
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            repository.lock_name(session, name)
            last = repository.newest(session, name)
            if last is not None and last.author_id != author_id:
                raise _taken(name)
            if last is not None and last.digest == digest and last.status != "removed":
                return last, False
            if repository.count_uploaded(session, author_id) >= _MOST_VERSIONS:
                raise Problem(
                    409,
                    "strategy_limit_reached",
                    f"An author can have {_MOST_VERSIONS} versions: remove some first.",
                )
            row = StrategyVersionRow(
                strategy=name,
                version=1 if last is None else last.version + 1,
                author_id=author_id,
                digest=digest,
                files=encoded,
                manifest=msgspec.to_builtins(report.manifest),
                findings=msgspec.to_builtins(report.findings),
            )
            session.add(row)
            session.flush()
        return row, True

    def versions(self, strategy: str, author_id: UUID | None) -> Sequence[StrategyVersionRow]:
        """Newest first. Those of somebody else are not there; None sees all."""
        with Session(self._engine) as session:
            found = repository.versions(session, strategy)
        if not found or author_id not in (None, found[0].author_id):
            raise _unknown(strategy)
        return found

    def decide(
        self, strategy: str, version: int, decision: Decision, by: UUID, reason: str | None
    ) -> StrategyVersionRow:
        """Asking twice changes nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            return self._decide(session, strategy, version, decision, by, reason)

    def remove(
        self, strategy: str, version: int, by: UUID, author_id: UUID | None
    ) -> StrategyVersionRow:
        """By its author, or by an admin when `author_id` is None."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = repository.find(session, strategy, version)
            if row is None or author_id not in (None, row.author_id):
                raise _unknown(strategy)
            return self._decide(session, strategy, version, "removed", by, None)

    def _decide(
        self,
        session: Session,
        strategy: str,
        version: int,
        decision: Decision,
        by: UUID,
        reason: str | None,
    ) -> StrategyVersionRow:
        row = repository.find(session, strategy, version, for_update=True)
        if row is None:
            raise _unknown(strategy)
        if row.status == decision:
            return row
        if decision not in _FOLLOWS[row.status]:
            raise Problem(
                409,
                "strategy_version_decided",
                f"Version {version} of {strategy} is {row.status}: it can't be {decision}.",
            )
        users = repository.running(session, strategy, version) if decision == "removed" else 0
        if users:
            raise Problem(
                409,
                "strategy_in_use",
                f"{users} deployment(s) run version {version} of {strategy}: stop them first.",
            )
        row.status, row.reason = decision, reason
        row.decided_by, row.decided_at = by, utc_now()
        session.flush()
        return row

    def _try(self, files: Mapping[str, bytes]) -> Report:
        # Backtests bring a lot along, which a worker without uploads doesn't need.
        from strategy_workers.sandbox.validation import validate

        if not self._trying.acquire(timeout=_TURN_S):
            raise Problem(
                503,
                "service_unavailable",
                "Another upload is being tried. Try again shortly.",
                headers={"Retry-After": "5"},
            )
        try:
            return validate(files, self._limits, self._candles)
        finally:
            self._trying.release()


def _invalid(report: Report) -> Problem:
    failed = next((one for one in report.findings if not one.passed), None)
    return Problem(
        422,
        "invalid_strategy",
        failed.said if failed else "It is no strategy.",
        members={"findings": msgspec.to_builtins(report.findings)},
    )


def _taken(name: str) -> Problem:
    return Problem(409, "strategy_name_taken", f"There is another strategy named {name}.")


def _unknown(strategy: str) -> Problem:
    return Problem(404, "unknown_strategy", f"There is no strategy named {strategy}.")
