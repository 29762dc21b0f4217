"""The risk ladder's verbs. Latches are the order processor's; limits and the platform's switch are
rows that all processors look at."""

from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.errors import Refused
from api_gateway.orders.requests import OrderProcessor
from api_gateway.origin import current_origin
from api_gateway.paging import Page, Place, page_of, parse_seq_cursor, seq_cursor
from api_gateway.risk import repository
from api_gateway.risk.following import Followers
from api_gateway.risk.schemas import (
    AccountKillSwitch,
    AuditEntry,
    DeploymentLimits,
    DeploymentLossView,
    KillSwitch,
    LatchView,
    LimitsView,
    LimitUseView,
    PlatformSwitchView,
    RiskView,
    StrategiesUse,
)
from api_gateway.risk.trail import note
from api_gateway.values import plain, view
from shared.database.tables import RiskLimitsRow, RiskPlatformRow
from shared.models.identifiers import Mode
from shared.models.risk import (
    AcknowledgeLoss,
    DeploymentLossUse,
    EngageKillSwitch,
    ReleaseKillSwitch,
    RiskReply,
    SeeRisk,
)
from shared.trading.risk import Level


class Risk:
    def __init__(
        self, sessions: sessionmaker[Session], processor: OrderProcessor, followers: Followers
    ) -> None:
        self._sessions = sessions
        self._processor = processor
        self._followers = followers

    # --- how things stand --------------------------------------------------------------------

    async def stand(self, account_id: UUID, mode: Mode) -> RiskView:
        reply = await self._processor.risk(SeeRisk, account_id, mode)
        return await self._view(account_id, mode, reply)

    async def acknowledge(
        self, account_id: UUID, user_id: UUID, mode: Mode, deployment_id: UUID | None = None
    ) -> RiskView:
        """The account's own loss limits, or that of one deployment."""
        reply = await self._processor.risk(
            AcknowledgeLoss, account_id, mode, deployment_id=deployment_id, **_signed(user_id)
        )
        return await self._view(account_id, mode, reply)

    async def engage(self, account_id: UUID, user_id: UUID, switch: AccountKillSwitch) -> RiskView:
        reply = await self._processor.risk(
            EngageKillSwitch,
            account_id,
            switch.mode,
            reason=switch.reason,
            flatten=switch.flatten,
            **_signed(user_id),
        )
        return await self._view(account_id, switch.mode, reply)

    async def release(self, account_id: UUID, user_id: UUID, mode: Mode) -> RiskView:
        reply = await self._processor.risk(ReleaseKillSwitch, account_id, mode, **_signed(user_id))
        return await self._view(account_id, mode, reply)

    async def _view(self, account_id: UUID, mode: Mode, reply: RiskReply) -> RiskView:
        strategies = await run_in_threadpool(self._strategies, account_id, mode)
        state = reply.state
        return RiskView(
            account_id=account_id,
            mode=mode,
            at=reply.at,
            gross_exposure=reply.gross_exposure,
            net_exposure=reply.net_exposure,
            loss=reply.loss,
            loss_since=state.baseline_at,
            session_loss=reply.session_loss,
            session_day=None if state.session is None else state.session.day,
            open_orders=reply.open_orders,
            loss_latch=None if state.loss is None else view(LatchView, state.loss),
            kill_switch=None if state.kill is None else view(LatchView, state.kill),
            platform_halted=reply.halted,
            limits=[view(LimitUseView, use) for use in reply.limits],
            deployments=[_deployment_view(each) for each in reply.deployments],
            strategies=strategies,
        )

    def _strategies(self, account_id: UUID, mode: Mode) -> StrategiesUse:
        """The limit with the least room."""
        with self._sessions() as db:
            owner_id = repository.owner_of(db, account_id)
            of_user = repository.running_strategies(db, mode, owner_id=owner_id, account_id=None)
            own = repository.running_strategies(db, mode, owner_id=owner_id, account_id=account_id)
            rows = repository.limits_of(db, _levels(owner_id, account_id), mode)
        uses = [
            StrategiesUse(
                used=own if row.level == "account" else of_user,
                allowed=row.limits["max_strategies"],
                level=cast("Level", row.level),
            )
            for row in rows
            if "max_strategies" in row.limits
        ]
        none = StrategiesUse(used=own, allowed=None, level=None)
        return min(uses, key=lambda use: (use.allowed or 0) - use.used, default=none)

    # --- limits ------------------------------------------------------------------------------

    def limits(self, level: Level, subject: UUID | None, mode: Mode) -> LimitsView:
        with self._sessions() as db:
            if level == "user":
                _check_user(db, subject)
            row = repository.limits(db, level, _text(subject), mode)
        return _limits_view(row, level, _text(subject), mode)

    async def set_limits(
        self,
        user_id: UUID,
        level: Level,
        subject: UUID | None,
        mode: Mode,
        limits: DeploymentLimits,
        *,
        account_id: UUID | None = None,
    ) -> LimitsView:
        """All of the level's limits at once. They hold when this returns; Refused
        `limits_not_confirmed` when they are stored and not all shards have said so."""

        def store() -> tuple[LimitsView, int, list[UUID] | None]:
            values = _stored(limits)
            with self._sessions.begin() as db:
                if level == "user":
                    _check_user(db, subject)
                by = f"user:{user_id}"
                version = repository.set_limits(db, level, _text(subject), mode, values, by)
                detail = {"level": level, "subject": _text(subject), "limits": values}
                note(db, user_id, "set_limits", account_id=account_id, mode=mode, detail=detail)
                row = repository.limits(db, level, _text(subject), mode)
                limited = None if account_id is None else [account_id]
                if level == "user" and subject is not None:
                    limited = repository.accounts_of(db, subject)
                return _limits_view(row, level, _text(subject), mode), version, limited

        told, version, limited = await run_in_threadpool(store)
        await self._followers.follow(version, limited)
        return told

    def deployment_mode(self, account_id: UUID, deployment_id: UUID) -> Mode:
        with self._sessions() as db:
            mode = repository.deployment_mode(db, account_id, deployment_id)
        if mode is None:
            raise Refused("not_found", "There is no such deployment.")
        return cast("Mode", mode)

    # --- the platform's kill switch ----------------------------------------------------------

    def platform_switch(self) -> PlatformSwitchView:
        with self._sessions() as db:
            return _switch_view(repository.platform(db))

    async def engage_platform(self, user_id: UUID, switch: KillSwitch) -> PlatformSwitchView:
        """Every shard has carried it out when this returns; Refused as for limits."""
        by = f"user:{user_id}"

        def store() -> tuple[PlatformSwitchView, int]:
            with self._sessions.begin() as db:
                repository.engage(db, switch.reason, by, flatten=switch.flatten)
                note(db, user_id, "engage_platform_kill_switch", detail=switch.model_dump())
                row = repository.platform(db)
                assert row is not None, "it was just stored"
                return _switch_view(row), row.version

        told, version = await run_in_threadpool(store)
        await self._followers.follow(version, None)
        return told

    def release_platform(self, user_id: UUID) -> PlatformSwitchView:
        with self._sessions.begin() as db:
            if not repository.release(db, f"user:{user_id}"):
                raise Refused(
                    "kill_switch_not_engaged", "The platform's kill switch is not engaged."
                )
            note(db, user_id, "release_platform_kill_switch")
            return _switch_view(repository.platform(db))

    # --- the audit trail ---------------------------------------------------------------------

    def audit(self, account_id: UUID | None, mode: Mode | None, place: Place) -> Page[AuditEntry]:
        before = parse_seq_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.audit(db, account_id, mode, before, place.limit + 1)
        return page_of(AuditEntry, rows, place, lambda row: seq_cursor(row.id))


def _signed(user_id: UUID) -> dict[str, Any]:
    return {"submitted_by": f"user:{user_id}", "origin": current_origin()}


def _text(subject: UUID | None) -> str:
    return "" if subject is None else str(subject)


def _levels(owner_id: UUID, account_id: UUID) -> list[tuple[Level, str]]:
    return [("platform", ""), ("user", str(owner_id)), ("account", str(account_id))]


def _check_user(db: Session, user_id: UUID | None) -> None:
    if user_id is None or not repository.user_exists(db, user_id):
        raise Refused("not_found", "There is no such user.")


def _stored(limits: DeploymentLimits) -> dict[str, Any]:
    """As JSON holds it, without what is not limited."""
    given = limits.model_dump(exclude_none=True, exclude_defaults=True)
    return {
        name: plain(value) if isinstance(value, Decimal) else value for name, value in given.items()
    }


def _limits_view(row: RiskLimitsRow | None, level: Level, subject: str, mode: Mode) -> LimitsView:
    return LimitsView(
        level=level,
        subject=subject,
        mode=mode,
        limits={} if row is None else row.limits,
        changed_by=None if row is None else row.changed_by,
        changed_at=None if row is None else row.changed_at,
    )


def _deployment_view(use: DeploymentLossUse) -> DeploymentLossView:
    return DeploymentLossView(
        deployment_id=use.deployment_id,
        limit=use.limit,
        loss=use.loss,
        latch=None if use.latch is None else view(LatchView, use.latch),
    )


def _switch_view(row: RiskPlatformRow | None) -> PlatformSwitchView:
    if row is None or not row.changed_by:
        return PlatformSwitchView(
            engaged=False, reason="", flatten=False, changed_by=None, changed_at=None
        )
    return PlatformSwitchView(
        engaged=row.halted,
        reason=row.reason,
        flatten=row.flatten,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
