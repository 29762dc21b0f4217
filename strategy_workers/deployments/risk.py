"""What the risk ladder says to one more strategy. Nothing here commits."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.database.tables import AccountRiskRow, AccountRow, RiskPlatformRow, UserRow
from shared.models.identifiers import Mode
from shared.service.problems import Problem

_RUNNING = text(
    """
    SELECT count(*) AS of_user,
           count(*) FILTER (WHERE d.account_id = :account_id) AS of_account
      FROM deployments d JOIN accounts a ON a.id = d.account_id
     WHERE a.owner_id = :owner_id AND d.mode = :mode
       AND d.wanted = 'running' AND (d.status IN ('starting', 'running') OR d.hold IS NOT NULL)
       AND d.id IS DISTINCT FROM CAST(:resumed AS uuid)
    """
)
_LIMITS = text(
    """
    SELECT level, CAST(limits ->> 'max_strategies' AS integer) AS allowed
      FROM risk_limits
     WHERE mode = :mode AND limits ? 'max_strategies'
       AND (level, subject) IN (('platform', ''), ('user', :owner_id), ('account', :account_id))
     ORDER BY allowed
    """
)


def check_risk(session: Session, account_id: UUID, mode: Mode, resumed: UUID | None = None) -> None:
    """Raises Problem. `resumed` is the one that is asked for, and doesn't count twice.

    Waits for the user's other deployments that are being made: their number can't pass the limit
    together."""
    owner_id = session.scalars(select(AccountRow.owner_id).where(AccountRow.id == account_id)).one()
    session.execute(select(UserRow.id).where(UserRow.id == owner_id).with_for_update())
    _check_latches(session, account_id, mode, resumed)
    running = session.execute(
        _RUNNING, {"owner_id": owner_id, "account_id": account_id, "mode": mode, "resumed": resumed}
    ).one()
    named = {"owner_id": str(owner_id), "account_id": str(account_id), "mode": mode}
    for level, allowed in session.execute(_LIMITS, named):
        used = running.of_account if level == "account" else running.of_user
        if used >= allowed:
            raise Problem(
                409,
                "strategy_limit_reached",
                f"The {level} allows {allowed} running strategies, and {used} run.",
                members={"limit": str(allowed), "observed": str(used + 1), "level": level},
            )


def _check_latches(session: Session, account_id: UUID, mode: Mode, resumed: UUID | None) -> None:
    # Held until the deployment is there: whoever latches meanwhile waits, and pauses it too.
    share = {"read": True}
    platform = session.get(RiskPlatformRow, 1, with_for_update=share)
    if platform is not None and platform.halted:
        raise Problem(
            409,
            "kill_switch_platform",
            f"The platform's kill switch is engaged: {platform.reason}",
        )
    latched = session.get(AccountRiskRow, (account_id, mode), with_for_update=share)
    state: dict[str, Any] = latched.state if latched is not None else {}
    if state.get("kill") is not None:
        raise Problem(409, "kill_switch_account", "The account's kill switch is engaged.")
    if state.get("loss") is not None:
        raise Problem(
            409, "loss_limit_latched", "The loss limit was reached: acknowledge that first."
        )
    own = state.get("deployments", {}).get(str(resumed), {})
    if own.get("latch") is not None:
        raise Problem(
            409,
            "loss_limit_latched",
            "The strategy's own loss limit was reached: acknowledge that first.",
            members={"level": "deployment"},
        )
