"""Lines of the audit trail that the gateway writes: what admins and owners set."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api_gateway.origin import current_origin
from api_gateway.risk import repository
from shared.models.identifiers import Mode
from shared.service.request_context import current_request_id


def note(
    db: Session,
    user_id: UUID,
    command: str,
    *,
    account_id: UUID | None = None,
    mode: Mode | None = None,
    symbol: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """In the transaction of what was done."""
    origin = current_origin()
    repository.add_audit(
        db,
        account_id=account_id,
        mode=mode,
        symbol=symbol,
        actor=f"user:{user_id}",
        ip=origin.ip if origin else None,
        user_agent=origin.user_agent if origin else None,
        request_id=current_request_id() or "gateway",
        command=command,
        detail=detail,
        outcome="accepted",
    )
