"""What can be asked of parity reports. A report is a job like a backtest, of the same limits."""

import gzip
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.candles.timeframes import LENGTH_NS
from shared.database.tables import BacktestRow, DeploymentRow, ReplayRow
from shared.service.problems import Problem, not_found
from shared.trading.paper_terms import (
    BadPaperTermsError,
    paper_terms_document,
    parse_paper_terms,
)
from strategy_workers.deployments.repository import find as find_deployment
from strategy_workers.jobs import repository as jobs
from strategy_workers.jobs.actions import Backtests
from strategy_workers.jobs.checks import instruments_alike, job_files
from strategy_workers.jobs.request import JobRequest
from strategy_workers.library.catalogue import Catalogue
from strategy_workers.parity import repository
from strategy_workers.parity.repository import Window
from strategy_workers.parity.run import RecordedRun, VersionFrom
from strategy_workers.parity.schemas import ParityRequest
from strategy_workers.runtime.desk import market_time
from strategy_workers.runtime.repository import snapshot
from strategy_workers.runtime.snapshot import decode_snapshot

_MOST_EXECUTIONS = 20_000
#: What is loaded before a live run's first candle, at least and in candles.
_WARM_UP = timedelta(days=7)
_WARM_UP_CANDLES = 500


class ParityReports:
    """Methods raise Problem for what they refuse."""

    def __init__(
        self, engine: Engine, catalogue: Catalogue, backtests: Backtests, max_rows: int
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._backtests = backtests
        self._max_rows = max_rows

    def submit(self, account_id: UUID, deployment_id: UUID, asked: ParityRequest) -> BacktestRow:
        with Session(self._engine) as session:
            request = self._request(session, account_id, deployment_id, asked)
        return self._backtests.add_parity(asked.owner_id, deployment_id, request.document())

    def cancel(
        self, account_id: UUID, deployment_id: UUID, owner_id: UUID, report_id: UUID
    ) -> BacktestRow:
        """By who asked for it. One that has ended stays as it is."""
        with Session(self._engine) as session:
            _deployment(session, account_id, deployment_id)
        return self._backtests.cancel(owner_id, report_id, deployment_id).row

    def delete(
        self, account_id: UUID, deployment_id: UUID, owner_id: UUID, report_id: UUID
    ) -> None:
        with Session(self._engine) as session:
            _deployment(session, account_id, deployment_id)
        self._backtests.delete(owner_id, report_id, deployment_id)

    def page(
        self,
        account_id: UUID,
        deployment_id: UUID,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[tuple[BacktestRow, str | None]]:
        """With the replay that each is of."""
        with Session(self._engine) as session:
            _deployment(session, account_id, deployment_id)
            return jobs.parity_page(session, deployment_id, before, limit)

    def find(
        self, account_id: UUID, deployment_id: UUID, report_id: UUID
    ) -> tuple[BacktestRow, dict[str, Any] | None]:
        """With the whole report, when it is done."""
        with Session(self._engine) as session:
            _deployment(session, account_id, deployment_id)
            row = jobs.find(session, report_id, None, deployment_id, with_result=True)
            if row is None:
                raise not_found("parity report")
            if row.result is None:
                return row, None
            report: dict[str, Any] = json.loads(gzip.decompress(row.result))
            return row, report

    def _request(
        self, session: Session, account_id: UUID, deployment_id: UUID, asked: ParityRequest
    ) -> JobRequest:
        deployment = _deployment(session, account_id, deployment_id)
        replay = _replay(session, deployment, asked.replay_id)
        if asked.strategy_version is not None:
            self._check_version(deployment.strategy, asked.strategy_version)
        run, recorded_files = _recorded(session, deployment, replay)
        account = repository.account(session, account_id)
        files = recorded_files
        if asked.file_ids is not None:
            if not recorded_files:
                raise Problem(
                    422, "invalid_request", "Only a replay of files can be made with other files."
                )
            files = job_files(session, asked.file_ids, self._max_rows)
        terms = {**account.paper_terms, **asked.paper_terms}
        try:
            document = paper_terms_document(parse_paper_terms(terms))
        except BadPaperTermsError as error:
            raise Problem(
                422, "invalid_paper_terms", f"The paper terms can't be used: {error}."
            ) from error
        traded = instruments_alike(session, deployment.symbols)
        first = run.versions[0]
        window = Window(account_id, deployment.mode, deployment_id, run.began_at, run.ended_at)
        cash = repository.cash_before(session, window, account.base_currency)
        start, end = _days(run, deployment)
        return JobRequest(
            strategy=deployment.strategy,
            parameters=first.parameters,
            symbols=list(deployment.symbols),
            timeframe=deployment.timeframe,  # type: ignore[arg-type]
            source="files" if files else "candles",
            data_timeframe=None if files else "1m",
            files=files,
            start=None if files else start,
            end=None if files else end,
            capital=account.paper_capital if cash is None else cash,
            paper_terms=document,
            exchange=traded.exchange,
            currency=traded.currency,
            tick_size=traded.tick_size,
            lot_size=traded.lot_size,
            strategy_version=asked.strategy_version or first.strategy_version,
            run=run,
        )

    def _check_version(self, strategy: str, version: int) -> None:
        if self._catalogue.choose(strategy, version) is None:
            raise Problem(
                422,
                "strategy_not_approved",
                f"There is no approved version {version} of a strategy named {strategy}.",
            )


def _deployment(session: Session, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
    row = find_deployment(session, deployment_id, account_id)
    if row is None:
        raise not_found("deployment")
    return row


def _replay(
    session: Session, deployment: DeploymentRow, replay_id: UUID | None
) -> ReplayRow | None:
    if replay_id is None:
        replay = repository.newest_replay(session, deployment)
    else:
        replay = session.get(ReplayRow, replay_id)
        if replay is None or not set(replay.symbols) & set(deployment.symbols):
            raise not_found("replay of the deployment's symbols")
        if replay.finished_at is not None and replay.finished_at < deployment.created_at:
            raise not_found("replay since the deployment began")
    if replay is not None and replay.status == "running":
        raise Problem(409, "run_unfinished", "The replay is still running: wait for its end.")
    return replay


def _recorded(
    session: Session, deployment: DeploymentRow, replay: ReplayRow | None
) -> tuple[RecordedRun, list[Any]]:
    start, end = deployment.created_at, None
    if replay is not None:
        start, end = replay.created_at, repository.next_replay_at(session, replay)
    window = Window(deployment.account_id, deployment.mode, deployment.id, start, end)
    fills = repository.fills(session, window, _MOST_EXECUTIONS)
    if len(fills) > _MOST_EXECUTIONS:
        raise Problem(
            422,
            "too_much_data",
            f"The run has more than {_MOST_EXECUTIONS} executions.",
            members={"limit": str(_MOST_EXECUTIONS), "observed": str(len(fills))},
        )
    rows = repository.versions(session, deployment.id, end)
    before = [row for row in rows if row.requested_at < start]
    first = before[-1] if before else rows[0]
    later = [row for row in rows if row.version > first.version and row.applied_at is not None]
    files = []
    if replay is not None and replay.request.get("files"):
        files = job_files(session, [UUID(one) for one in replay.request["files"]], None)
    is_live = replay is None
    began_later = is_live or not before
    run = RecordedRun(
        account_id=deployment.account_id,
        deployment_id=deployment.id,
        mode="live" if deployment.mode == "live" else "paper",
        symbols=list(deployment.symbols),
        replay_id=None if replay is None else replay.id,
        fills=fills,
        versions=[
            VersionFrom(
                None if row is first else row.applied_at, row.parameters, row.strategy_version
            )
            for row in (first, *later)
        ],
        terms=repository.terms(session, window) if deployment.mode == "paper" else [],
        files=files,
        begins_at=first.applied_at if began_later else None,
        ends_at=_ends_at(session, deployment, replay),
        data_from=_data_from(replay),
        code_version=(later or [first])[-1].code_version,
        began_at=start,
        ended_at=None if replay is None else replay.finished_at,
        began_warm=is_live,
        margin=repository.account(session, deployment.account_id).margin_terms,
        borrow_fee_bps=instruments_alike(session, deployment.symbols).borrow_fee_bps,
        notes=_notes(repository.circumstances(session, window), replay),
    )
    return run, files


def _ends_at(
    session: Session, deployment: DeploymentRow, replay: ReplayRow | None
) -> datetime | None:
    """The last mark that it decided at, when it didn't hear the end of the replay."""
    if replay is not None:
        stayed = deployment.status != "stopped" or (
            replay.finished_at is not None and deployment.updated_at >= replay.finished_at
        )
        if stayed:
            return _end_of(replay)
    body = snapshot(session.connection(), deployment.id)
    mark = None if body is None else decode_snapshot(body).mark
    return None if mark is None else market_time(mark.at_ns)


def _end_of(replay: ReplayRow) -> datetime | None:
    """None when it is that of its files. Of what is in the store, other runs may be later."""
    if replay.status != "finished":
        return replay.market_time
    return None if replay.request.get("files") else replay.ends_at


def _data_from(replay: ReplayRow | None) -> datetime | None:
    if replay is None:
        return None
    if replay.request.get("start_at") is not None:
        return datetime.fromisoformat(replay.request["start_at"])
    return None if replay.request.get("files") else replay.starts_at


def _days(run: RecordedRun, deployment: DeploymentRow) -> tuple[Any, Any]:
    """Of candles that are read."""
    begin = run.begins_at or run.data_from or (run.fills[0].at if run.fills else run.began_at)
    if run.began_warm:
        length_ns = LENGTH_NS[deployment.timeframe]  # type: ignore[index]
        begin -= _WARM_UP + timedelta(microseconds=_WARM_UP_CANDLES * length_ns // 1000)
    return begin.date(), None if run.ends_at is None else run.ends_at.date()


def _notes(known: repository.Circumstances, replay: ReplayRow | None) -> list[str]:
    notes = []
    if known.others:
        notes.append(
            f"Others traded in the account meanwhile ({known.others} executions): its cash was "
            "not that of the run alone."
        )
    if known.held:
        notes.append(f"The account held {', '.join(known.held)} before; the repetition doesn't.")
    if known.cash_moves:
        notes.append(f"Cash was moved meanwhile ({known.cash_moves} entries).")
    if known.pauses:
        notes.append(f"The deployment was paused ({known.pauses} times); the repetition isn't.")
    if replay is not None and replay.skipped_ticks:
        notes.append(
            f"The replay passed over {replay.skipped_ticks} prints; the repetition doesn't."
        )
    if replay is None or not replay.request.get("files"):
        notes.append(
            "Of this run's data only candles are kept, not the prints: what came when within a "
            "candle of a minute is not known."
        )
    return notes
