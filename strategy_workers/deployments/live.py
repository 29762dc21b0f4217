"""What a strategy needs to trade with real money. Nothing here commits."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.models.identifiers import Mode
from shared.service.problems import Problem

_CONNECTED = text(
    """
    SELECT EXISTS (SELECT 1 FROM broker_connections
                    WHERE account_id = :account_id AND credentials IS NOT NULL)
    """
)
_HAS_LOSS_LIMIT = text(
    """
    SELECT EXISTS (
        SELECT 1 FROM risk_limits l JOIN accounts a ON a.id = :account_id
         WHERE l.mode = 'live' AND (l.limits ? 'max_loss' OR l.limits ? 'max_session_loss')
           AND (l.level, l.subject) IN (('platform', ''), ('user', a.owner_id::text),
                                        ('account', a.id::text)))
    """
)


def check_live(session: Session, account_id: UUID, mode: Mode) -> None:
    """Raises Problem. The broker may be away just now: then the deployment waits for it."""
    if mode != "live":
        return
    named = {"account_id": account_id}
    if not session.execute(_CONNECTED, named).scalar_one():
        raise Problem(
            422, "mode_not_available", "The account has no broker connection: it trades on paper."
        )
    if not session.execute(_HAS_LOSS_LIMIT, named).scalar_one():
        raise Problem(
            409,
            "loss_limit_required",
            "Before a strategy trades live, set the most that the account may lose: max_loss or"
            " max_session_loss among its risk limits of the mode live.",
        )
