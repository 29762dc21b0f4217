"""What can be asked of backtests."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from shared.database.tables import BacktestRow, DeploymentRow, utc_now
from shared.models.identifiers import Mode
from shared.service.problems import Problem, not_found
from strategy_workers.deployments.actions import Deployments
from strategy_workers.jobs import repository
from strategy_workers.jobs.checks import checked_request
from strategy_workers.jobs.data import has_candles
from strategy_workers.jobs.request import JobRequest
from strategy_workers.jobs.schemas import BacktestRequest
from strategy_workers.library import Catalogue


@dataclass(frozen=True)
class JobLimits:
    unfinished_per_user: int
    kept_per_user: int
    max_rows: int


@dataclass(frozen=True)
class Backtest:
    row: BacktestRow
    #: The one that it repeats, if that is still there.
    original: BacktestRow | None
    #: False: it had been asked for before, by the user's own name for it.
    is_new: bool = True


class Backtests:
    """Methods raise Problem for what they refuse. `owner_id` None sees everybody's."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        market_data: httpx.AsyncClient,
        deployments: Deployments,
        limits: JobLimits,
        tell_runner: Callable[[], object],
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._market_data = market_data
        self._deployments = deployments
        self._limits = limits
        self._tell_runner = tell_runner

    async def submit(self, asked: BacktestRequest) -> Backtest:
        """All that can be known now is checked before anything is stored."""
        before = await run_in_threadpool(self._asked_before, asked)
        if before is not None:
            return before
        request = await run_in_threadpool(self._checked, asked)
        timeframe = request.data_timeframe
        if timeframe is not None:
            for symbol in request.symbols:
                if not await has_candles(
                    self._market_data, symbol, timeframe, request.start, request.end
                ):
                    raise Problem(
                        422,
                        "no_data",
                        f"There are no {timeframe} candles of {symbol} in the range.",
                    )
        return await run_in_threadpool(self._add, asked.owner_id, request.document(), asked=asked)

    def _asked_before(self, asked: BacktestRequest) -> Backtest | None:
        """By the user's own name for it."""
        if asked.client_backtest_id is None:
            return None
        with Session(self._engine) as session:
            row = repository.named(session, asked.owner_id, asked.client_backtest_id)
            return None if row is None else Backtest(_same(row, asked), None, is_new=False)

    def _checked(self, asked: BacktestRequest) -> JobRequest:
        with Session(self._engine) as session:
            return checked_request(session, self._catalogue, asked, self._limits.max_rows)

    def repeat(self, owner_id: UUID, backtest_id: UUID) -> Backtest:
        with Session(self._engine) as session:
            row = _found(repository.find(session, backtest_id, owner_id))
            request = row.request
        return self._add(owner_id, request, backtest_id)

    def add_parity(
        self, owner_id: UUID, deployment_id: UUID, request: dict[str, Any]
    ) -> BacktestRow:
        """A job among the user's backtests, which makes a deployment's run again."""
        return self._add(owner_id, request, None, deployment_id).row

    def _add(
        self,
        owner_id: UUID,
        request: dict[str, Any],
        repeat_of: UUID | None = None,
        deployment_id: UUID | None = None,
        asked: BacktestRequest | None = None,
    ) -> Backtest:
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            if not repository.lock_user(session, owner_id):
                raise not_found("user")
            name = None if asked is None else asked.client_backtest_id
            if asked is not None and name is not None:
                # Two at once: the second one waited for the first one's commit.
                found = repository.named(session, owner_id, name)
                if found is not None:
                    return Backtest(_same(found, asked), None, is_new=False)
            original = None
            if repeat_of is not None:
                original = _found(repository.find(session, repeat_of, owner_id))
            self._check_counts(session, owner_id)
            row = BacktestRow(
                deployment_id=deployment_id,
                owner_id=owner_id,
                request=request,
                repeat_of=repeat_of,
                client_backtest_id=name,
                asked_digest=None if asked is None or name is None else asked.digest,
            )
            session.add(row)
        self._tell_runner()
        return Backtest(row, original)

    def _check_counts(self, session: Session, owner_id: UUID) -> None:
        unfinished, kept = repository.counts(session, owner_id)
        limits = self._limits
        if unfinished >= limits.unfinished_per_user:
            raise Problem(
                409,
                "too_many_backtests",
                f"{unfinished} backtests are waiting or running; wait for one, or cancel one.",
                members={"limit": str(limits.unfinished_per_user), "observed": str(unfinished + 1)},
            )
        if kept >= limits.kept_per_user:
            raise Problem(
                409,
                "too_many_backtests",
                f"{kept} backtests are kept; delete one first.",
                members={"limit": str(limits.kept_per_user), "observed": str(kept + 1)},
            )

    def cancel(
        self, owner_id: UUID, backtest_id: UUID, deployment_id: UUID | None = None
    ) -> Backtest:
        """One that has ended stays as it is."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = _found(
                repository.find(session, backtest_id, owner_id, deployment_id, for_update=True)
            )
            if row.status == "waiting":
                row.status, row.finished_at = "cancelled", utc_now()
            elif row.status == "running":
                row.cancel_wanted = True
            return _with_original(session, row)

    def delete(self, owner_id: UUID, backtest_id: UUID, deployment_id: UUID | None = None) -> None:
        with Session(self._engine) as session, session.begin():
            row = _found(
                repository.find(session, backtest_id, owner_id, deployment_id, for_update=True)
            )
            if row.status in repository.UNFINISHED:
                raise Problem(409, "backtest_unfinished", "The backtest is not over: cancel it.")
            session.delete(row)

    def find(self, owner_id: UUID | None, backtest_id: UUID) -> Backtest:
        with Session(self._engine) as session:
            return _with_original(session, _found(repository.find(session, backtest_id, owner_id)))

    def page(
        self,
        owner_id: UUID | None,
        status: str | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Backtest]:
        with Session(self._engine) as session:
            rows = repository.page(session, owner_id, status, before, limit)
            originals = repository.originals(session, rows)
        return [
            Backtest(row, originals.get(row.repeat_of) if row.repeat_of else None) for row in rows
        ]

    def result(self, owner_id: UUID | None, backtest_id: UUID) -> dict[str, Any]:
        """Whole: summary, trades, executions, curve."""
        with Session(self._engine) as session:
            return _result(session, owner_id, backtest_id)

    def results(
        self, owner_id: UUID | None, backtest_ids: Sequence[UUID]
    ) -> list[tuple[str, dict[str, Any]]]:
        """Each with a short name."""
        with Session(self._engine) as session:
            return [(str(one)[:8], _result(session, owner_id, one)) for one in backtest_ids]

    def finished(self, owner_id: UUID | None, backtest_ids: Sequence[UUID]) -> list[Backtest]:
        """In the order asked for."""
        with Session(self._engine) as session:
            rows = [_done(repository.find(session, one, owner_id)) for one in backtest_ids]
            return [_with_original(session, row) for row in rows]

    def deploy(
        self, owner_id: UUID, backtest_id: UUID, account_id: UUID, mode: Mode, code_version: str
    ) -> DeploymentRow:
        """What was tested, on an account of the caller's. `code_version` is what runs now."""
        with Session(self._engine) as session:
            row = _done(repository.find(session, backtest_id, owner_id))
        if row.code_version != code_version:
            raise Problem(
                409,
                "code_changed",
                "The platform's code has changed since this backtest: repeat it first.",
            )
        request = JobRequest.of(row.request)
        return self._deployments.deploy(
            account_id,
            mode,
            request.strategy,
            request.parameters,
            request.symbols,
            request.timeframe,
            request.strategy_version,
        )


def _found(row: BacktestRow | None) -> BacktestRow:
    if row is None:
        raise not_found("backtest")
    return row


def _same(row: BacktestRow, asked: BacktestRequest) -> BacktestRow:
    if row.asked_digest != asked.digest:
        raise Problem(
            409,
            "client_backtest_id_conflict",
            f"Another backtest was asked for as {asked.client_backtest_id}.",
        )
    return row


def _done(row: BacktestRow | None) -> BacktestRow:
    found = _found(row)
    if found.status != "done":
        raise Problem(409, "backtest_not_done", f"The backtest is {found.status}.")
    return found


def _with_original(session: Session, row: BacktestRow) -> Backtest:
    return Backtest(
        row,
        repository.find(session, row.repeat_of, row.owner_id) if row.repeat_of else None,
    )


def _result(session: Session, owner_id: UUID | None, backtest_id: UUID) -> dict[str, Any]:
    row = _done(repository.find(session, backtest_id, owner_id, with_result=True))
    assert row.result is not None, "the table has a check"
    result: dict[str, Any] = json.loads(gzip.decompress(row.result))
    return result
