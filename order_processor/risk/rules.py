"""Limits, the platform's kill switch and rates of exchange as this process knows them, at most a
moment old."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from order_processor.corporate_actions.repository import Known, read_actions
from order_processor.shards.fx import RateHistory, SetRate, read_rates
from shared.database import DatabaseThread
from shared.models.identifiers import Mode
from shared.trading.risk import (
    ACCOUNT_LEVELS,
    NO_LIMITS,
    Bounds,
    Halt,
    Ladder,
    Level,
    RiskLimits,
    tightest,
)

log = structlog.get_logger()

#: (level, subject, mode), as the table has it.
LimitsKey = tuple[str, str, str]

_decoder = msgspec.json.Decoder(RiskLimits)
_EMPTY = RiskLimits()
_PLATFORM = text(
    "SELECT version, halts, halted, flatten, reason, changed_by, changed_at FROM risk_platform"
)
_CHANGED = text(
    "SELECT level, subject, mode, limits::text AS limits FROM risk_limits WHERE version > :seen"
)
_ACCOUNTS = text(
    "SELECT account_id, array_agg(id) FROM deployments WHERE id = ANY(:ids) GROUP BY account_id"
)


class Rules(msgspec.Struct, frozen=True):
    version: int = 0
    limits: Mapping[LimitsKey, RiskLimits] = {}
    deployments: Mapping[UUID, Bounds] = {}
    #: Of each account the deployments whose loss is limited.
    losses: Mapping[UUID, frozenset[UUID]] = {}
    halt: Halt | None = None
    #: Splits and dividends.
    actions: Known = Known()

    def ladder(self, owner_id: UUID | None, account_id: UUID, mode: Mode) -> Ladder:
        subjects: tuple[tuple[Level, str], ...] = tuple(
            zip(ACCOUNT_LEVELS, ("", str(owner_id), str(account_id)), strict=True)
        )
        levels = [
            (level, limits)
            for level, subject in subjects
            if (limits := self.limits.get((level, subject, mode))) is not None
        ]
        if not levels and not self.deployments:
            return NO_LIMITS
        return Ladder(tightest(levels), self.deployments, self.losses.get(account_id, frozenset()))


def read_rules(connection: Connection, known: Rules) -> Rules:
    """`known` itself when nothing has changed. Changes become visible in the order of their
    versions, because all writers lock the platform's row."""
    actions = read_actions(connection, known.actions)
    row = connection.execute(_PLATFORM).one_or_none()
    if row is None or row.version == known.version:
        if actions is known.actions:
            return known
        return msgspec.structs.replace(known, actions=actions)
    limits = dict(known.limits)
    for changed in connection.execute(_CHANGED, {"seen": known.version}):
        key = (changed.level, changed.subject, changed.mode)
        new = _decoder.decode(changed.limits)
        if new == _EMPTY:
            limits.pop(key, None)
        else:
            limits[key] = new
    deployments = _of_deployments(limits)
    lossy = [each for each, bounds in deployments.items() if bounds.loss is not None]
    losses: dict[UUID, frozenset[UUID]] = {}
    for account_id, of_account in connection.execute(_ACCOUNTS, {"ids": lossy}):
        losses[account_id] = frozenset(of_account)
    return Rules(row.version, limits, deployments, losses, _halt(row), actions)


def _of_deployments(limits: Mapping[LimitsKey, RiskLimits]) -> dict[UUID, Bounds]:
    return {
        UUID(subject): tightest([("deployment", each)])
        for (level, subject, _), each in limits.items()
        if level == "deployment"
    }


def _halt(row: Any) -> Halt | None:
    if not row.halted:
        return None
    return Halt(row.halts, row.changed_at, row.changed_by, row.reason, row.flatten)


class RuleBook:
    """Of the process: one look at the database for all its shards."""

    def __init__(self, engine: Engine, refresh_s: float) -> None:
        self._engine = engine
        self._refresh_s = refresh_s
        self._thread = DatabaseThread("risk")
        self._watchers: set[asyncio.Event] = set()
        self.current = Rules()
        #: Of exchange: they come with the same look at the database.
        self.rates = RateHistory()

    def close(self) -> None:
        self._thread.close()

    def watch(self, wake: asyncio.Event) -> None:
        """Set `wake` when something has changed, until `leave`."""
        self._watchers.add(wake)

    def leave(self, wake: asyncio.Event) -> None:
        self._watchers.discard(wake)

    async def refresh(self) -> None:
        """Raises what the database does."""
        rules, rates = await self._thread.run(self._read)
        self.rates.add(rates)
        if rules is not self.current or rates:
            self.current = rules
            for wake in self._watchers:
                wake.set()

    def _read(self) -> tuple[Rules, list[SetRate]]:
        with self._engine.connect() as connection:
            # Version and limits must be of one moment.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
            return read_rules(connection, self.current), read_rates(connection, self.rates.seen)

    async def run(self) -> None:
        """Look again and again. While Postgres is away nothing can be committed either."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self.refresh()
            except SQLAlchemyError as error:
                log.warning("risk_rules_not_read", error=repr(error))
