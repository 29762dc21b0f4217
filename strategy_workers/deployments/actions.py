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
    DeploymentRow,
    SignalRow,
)
from shared.models.identifiers import Mode, Timeframe
from shared.service.problems import Problem, not_found
from strategy_workers.deployments import repository
from strategy_workers.deployments.risk import check_risk
from strategy_workers.deployments.variables import Variables, variables_of
from strategy_workers.library import Catalogue
from strategy_workers.library.routes import unknown_strategy
from strategy_workers.runtime.deployment import Deployment, HookError
from strategy_workers.runtime.repository import load, snapshot
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.sdk import InvalidParametersError, Strategy

#: What becomes of working orders. Entries are buys: strategies sell only what they hold.
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
    ) -> DeploymentRow:
        known = self._catalogue.find(strategy)
        if known is None:
            raise unknown_strategy(strategy)
        if mode == "live":
            raise Problem(422, "mode_not_available", "No broker is connected: use the mode paper.")
        row = DeploymentRow(
            account_id=account_id,
            mode=mode,
            strategy=strategy,
            parameters=_complete(known, parameters),
            symbols=symbols,
            timeframe=timeframe,
        )
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            _check_account(session, account_id)
            _check_symbols(session, account_id, symbols)
            check_risk(session, account_id, mode)
            session.add(row)
            session.flush()
            session.add(_version(row))
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
                check_risk(session, account_id, _mode(row), resumed=deployment_id)
            row = _to_change(session, account_id, deployment_id)
            if row.wanted == "paused" or (row.status == "paused" and row.hold is None):
                _check_symbols(session, account_id, row.symbols)
                row.wanted = "running"
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
    ) -> DeploymentRow:
        """What is given, besides what is; checked whole before anything changes."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = _to_change(session, account_id, deployment_id)
            if version is not None and version != row.parameters_version:
                raise Problem(
                    409,
                    "parameters_changed",
                    f"The parameters have version {row.parameters_version}, not {version}.",
                )
            known = self._catalogue.find(row.strategy)
            if known is None:
                raise unknown_strategy(row.strategy)
            complete = _complete(known, {**row.parameters, **given})
            if complete != row.parameters:
                self._check_start(session, row.id, known, complete)
                row.parameters = complete
                row.parameters_version += 1
                session.add(_version(row))
        self._tell_workers()
        return row

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
            with self._watchdog.over(None):
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
        deployment_id=row.id, version=row.parameters_version, parameters=row.parameters
    )


def _complete(strategy: type[Strategy], given: dict[str, Any]) -> dict[str, object]:
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
