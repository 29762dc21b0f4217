"""What can be asked of deployments. A worker carries out what the rows say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import (
    DeploymentLogRow,
    DeploymentParametersRow,
    DeploymentPlotRow,
    DeploymentRow,
    SignalRow,
)
from shared.models.identifiers import Mode, Timeframe
from shared.service.problems import Problem, not_found
from strategy_workers.deployments import repository
from strategy_workers.deployments.live import check_live
from strategy_workers.deployments.risk import check_risk
from strategy_workers.deployments.variables import Variables, variables_of
from strategy_workers.library import Catalogue
from strategy_workers.library.catalogue import Chosen
from strategy_workers.library.routes import unknown_strategy
from strategy_workers.runtime.deployment import Deployment, HookError
from strategy_workers.runtime.repository import load, snapshot
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.sdk import InvalidParametersError, Strategy
from strategy_workers.uploads.repository import check_approved

#: What becomes of working orders. Entries are those that would add to its position.
WorkingOrders = Literal["cancel_entries", "cancel_all", "keep"]


class Deployments:
    """Each method is one transaction, and raises Problem for what it refuses."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        watchdog: Watchdog,
        tell_workers: Callable[[], object],
    ) -> None:
        """`tell_workers` is called, from any thread, when there is something to do for them."""
        self._engine = engine
        self._catalogue = catalogue
        self._watchdog = watchdog
        self._tell_workers = tell_workers

    def deploy(
        self,
        account_id: UUID,
        mode: Mode,
        strategy: str,
        parameters: dict[str, Any],
        symbols: list[str],
        timeframe: Timeframe,
        strategy_version: int | None = None,
    ) -> DeploymentRow:
        """Of an uploaded strategy the newest version that is approved, or the one asked for."""
        chosen = self._choose(strategy, strategy_version)
        known = chosen.strategy
        row = DeploymentRow(
            account_id=account_id,
            mode=mode,
            strategy=strategy,
            strategy_version=chosen.version,
            parameters=complete_parameters(known, parameters),
            symbols=symbols,
            timeframe=timeframe,
        )
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            _check_account(session, account_id)
            _check_symbols(session, account_id, symbols)
            check_live(session, account_id, mode)
            check_risk(session, account_id, mode)
            session.add(row)
            session.flush()
            session.add(_version(row))
            if known.has_own_process:
                check_approved(session, strategy, chosen.version)
                session.flush()
                self._check_start(session, row.id, known, row.parameters)
        self._tell_workers()
        return row

    def pause(
        self, account_id: UUID, deployment_id: UUID, working_orders: WorkingOrders
    ) -> DeploymentRow:
        """Asking twice changes nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = _to_change(session, account_id, deployment_id)
            if row.wanted == "running" and (row.status != "paused" or row.hold is not None):
                row.wanted = "paused"
                row.pause_orders = working_orders
                if row.hold is not None:  # it only waited: now its orders end as is asked for
                    row.hold, row.status = None, "starting"
        self._tell_workers()
        return row

    def resume(self, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
        """Under the same conditions as a start. Of one that runs: changes nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            _check_account(session, account_id)
            row = repository.find(session, deployment_id, account_id)
            # The user's row before the deployment's, in the order that a start locks them.
            if row is not None:
                check_live(session, account_id, _mode(row))
                check_risk(session, account_id, _mode(row), resumed=deployment_id)
            row = _to_change(session, account_id, deployment_id)
            if row.outdated_by is not None:
                raise Problem(
                    409,
                    "deployment_outdated",
                    "What it trades was split: it counts in old shares. Deploy it anew.",
                )
            if row.wanted == "paused" or (row.status == "paused" and row.hold is None):
                _check_symbols(session, account_id, row.symbols)
                row.wanted = "running"
                # What was asked of one pause is not meant for the next, which nobody may ask for.
                row.pause_orders = "cancel_entries"
                row.last_error = None
                # One that waits for its market data begins when they come again.
                if row.status == "paused" and row.hold is None:
                    row.status = "starting"
        self._tell_workers()
        return row

    def change_parameters(
        self,
        account_id: UUID,
        deployment_id: UUID,
        given: dict[str, Any],
        version: int | None,
        strategy_version: int | None = None,
    ) -> DeploymentRow:
        """What is given, besides what is; checked whole before anything changes.

        With a version of its code, that one goes on from where this one is.
        """
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = _to_change(session, account_id, deployment_id)
            if version is not None and version != row.parameters_version:
                raise Problem(
                    409,
                    "parameters_changed",
                    f"The parameters have version {row.parameters_version}, not {version}.",
                )
            known, wanted, _ = self._code_for(row, strategy_version)
            complete = complete_parameters(known, {**_still_known(known, row.parameters), **given})
            self._change(session, row, known, complete, wanted)
        self._tell_workers()
        return row

    def roll_back(self, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
        """To the parameters and the code of before the last change, in a new version of both."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = _to_change(session, account_id, deployment_id)
            before = session.get(DeploymentParametersRow, (row.id, row.parameters_version - 1))
            if before is None:
                raise Problem(409, "nothing_to_roll_back", "Nothing was changed so far.")
            known, wanted, _ = self._code_for(row, before.strategy_version)
            self._change(session, row, known, complete_parameters(known, before.parameters), wanted)
        self._tell_workers()
        return row

    def _choose(self, strategy: str, version: int | None) -> Chosen:
        chosen = self._catalogue.choose(strategy, version)
        if chosen is None and version is not None:
            raise Problem(
                422,
                "strategy_not_approved",
                f"There is no approved version {version} of a strategy named {strategy}.",
            )
        if chosen is None:
            raise unknown_strategy(strategy)
        return chosen

    def _code_for(self, row: DeploymentRow, wanted: int | None) -> Chosen:
        """The version asked for, which must be approved; else the one that runs."""
        if wanted is not None and wanted != row.strategy_version:
            return self._choose(row.strategy, wanted)
        known = self._catalogue.find(row.strategy, row.strategy_version)
        if known is None:
            raise unknown_strategy(row.strategy)
        return Chosen(known, row.strategy_version)

    def _change(
        self,
        session: Session,
        row: DeploymentRow,
        known: type[Strategy],
        parameters: dict[str, Any],
        strategy_version: int | None,
    ) -> None:
        if parameters == row.parameters and strategy_version == row.strategy_version:
            return
        if strategy_version != row.strategy_version:
            check_approved(session, row.strategy, strategy_version)
        self._check_start(session, row.id, known, parameters)
        row.parameters = parameters
        row.strategy_version = strategy_version
        row.parameters_version += 1
        session.add(_version(row))

    def versions(
        self, account_id: UUID, deployment_id: UUID, before: int | None, limit: int
    ) -> list[DeploymentParametersRow]:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            return repository.versions(session, deployment_id, before, limit)

    def stop(self, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
        """Asking twice changes nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = repository.find(session, deployment_id, account_id, for_update=True)
            if row is None:
                raise not_found("deployment")
            if row.wanted != "stopped":
                row.wanted = "stopped"
        self._tell_workers()
        return row

    def find(self, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
        with Session(self._engine) as session:
            row = repository.find(session, deployment_id, account_id)
        if row is None:
            raise not_found("deployment")
        return row

    def page(
        self, account_id: UUID, before: tuple[datetime, UUID] | None, limit: int
    ) -> list[DeploymentRow]:
        with Session(self._engine) as session:
            return repository.page(session, account_id, before, limit)

    def logs(
        self, account_id: UUID, deployment_id: UUID, before: int | None, limit: int
    ) -> list[DeploymentLogRow]:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            return repository.logs(session, deployment_id, before, limit)

    def variables(self, account_id: UUID, deployment_id: UUID) -> Variables:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            body = snapshot(session.connection(), deployment_id)
        return variables_of(body)

    def plots(
        self, account_id: UUID, deployment_id: UUID, before: int | None, limit: int
    ) -> list[DeploymentPlotRow]:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            return repository.plots(session, deployment_id, before, limit)

    def signals(
        self, account_id: UUID, deployment_id: UUID, before: int | None, limit: int
    ) -> list[SignalRow]:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            return repository.signals(session, deployment_id, before, limit)

    def _check_start(
        self,
        session: Session,
        deployment_id: UUID,
        known: type[Strategy],
        parameters: dict[str, Any],
    ) -> None:
        """That `on_start` takes them: a running strategy must not end by a change."""
        record = load(session.connection(), deployment_id)
        try:
            with self._watchdog.over(None, known):
                Deployment(replace(record, parameters=parameters), known)
        except HookError as error:
            raise Problem(
                422, "invalid_parameters", f"The strategy can't start with them: {error}"
            ) from error


def _to_change(session: Session, account_id: UUID, deployment_id: UUID) -> DeploymentRow:
    """Raises Problem for one that is stopped: that is its end."""
    row = repository.find(session, deployment_id, account_id, for_update=True)
    if row is None:
        raise not_found("deployment")
    if row.wanted == "stopped":
        raise Problem(409, "deployment_stopped", "The deployment was stopped: start a new one.")
    return row


def _mode(row: DeploymentRow) -> Mode:
    return "live" if row.mode == "live" else "paper"


def _version(row: DeploymentRow) -> DeploymentParametersRow:
    return DeploymentParametersRow(
        deployment_id=row.id,
        version=row.parameters_version,
        strategy_version=row.strategy_version,
        parameters=row.parameters,
    )


def _still_known(strategy: type[Strategy], parameters: dict[str, Any]) -> dict[str, Any]:
    """Those that this version of the code has too."""
    declared = strategy.declared_parameters()
    return {name: value for name, value in parameters.items() if name in declared}


def complete_parameters(strategy: type[Strategy], given: dict[str, Any]) -> dict[str, object]:
    """With defaults: the deployment keeps them when the library changes its own."""
    try:
        return strategy.encode_parameters(strategy.parse_parameters(given))
    except InvalidParametersError as error:
        raise Problem(
            422,
            "invalid_parameters",
            str(error),
            errors=[{"field": one.field, "message": one.message} for one in error.errors],
        ) from error


def _check_account(session: Session, account_id: UUID) -> None:
    status = repository.account_status(session, account_id)
    if status is None:
        raise not_found("account")
    if status != "active":
        raise Problem(422, "account_not_active", f"The account is {status}.")


def _check_symbols(session: Session, account_id: UUID, symbols: list[str]) -> None:
    if len(set(symbols)) < len(symbols):
        raise Problem(422, "repeated_symbol", "Each symbol may be named once.")
    known = repository.tradable(session, symbols)
    for symbol in symbols:
        if symbol not in known:
            raise Problem(422, "unknown_symbol", f"There is no instrument {symbol}.")
        if not known[symbol]:
            raise Problem(422, "not_tradable", f"{symbol} can't be traded.")
    for symbol in repository.abroad(session, account_id, symbols):
        raise Problem(
            422,
            "currency_mismatch",
            f"{symbol} is quoted in another currency than the account's: strategies trade in one.",
        )
