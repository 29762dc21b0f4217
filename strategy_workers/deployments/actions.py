"""What can be asked of deployments. A worker carries out what the rows say."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import DeploymentRow, SignalRow
from shared.models.identifiers import Mode, Timeframe
from shared.service.problems import Problem, not_found
from strategy_workers.deployments import repository
from strategy_workers.deployments.risk import check_risk
from strategy_workers.library import Catalogue
from strategy_workers.library.routes import unknown_strategy
from strategy_workers.sdk import InvalidParametersError, Strategy


class Deployments:
    """Each method is one transaction, and raises Problem for what it refuses."""

    def __init__(self, engine: Engine, catalogue: Catalogue, tell_workers: Callable[[], object]):
        """`tell_workers` is called, from any thread, when there is something to do for them."""
        self._engine = engine
        self._catalogue = catalogue
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
            _check_symbols(session, symbols)
            check_risk(session, account_id, mode)
            session.add(row)
        self._tell_workers()
        return row

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

    def signals(
        self, account_id: UUID, deployment_id: UUID, before: int | None, limit: int
    ) -> list[SignalRow]:
        with Session(self._engine) as session:
            if repository.find(session, deployment_id, account_id) is None:
                raise not_found("deployment")
            return repository.signals(session, deployment_id, before, limit)


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


def _check_symbols(session: Session, symbols: list[str]) -> None:
    if len(set(symbols)) < len(symbols):
        raise Problem(422, "repeated_symbol", "Each symbol may be named once.")
    known = repository.tradable(session, symbols)
    for symbol in symbols:
        if symbol not in known:
            raise Problem(422, "unknown_symbol", f"There is no instrument {symbol}.")
        if not known[symbol]:
            raise Problem(422, "not_tradable", f"{symbol} can't be traded.")
