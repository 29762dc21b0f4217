"""The risk ladder's part of a batch."""

from uuid import UUID

import msgspec

from order_processor.risk.audit import AuditRecord
from order_processor.risk.notices import NotificationRecord
from shared.models.identifiers import Mode
from shared.models.margin import MarginTerms
from shared.models.risk import RiskState


class RiskRecord(msgspec.Struct, frozen=True):
    account_id: UUID
    mode: Mode
    state: RiskState


class RiskBatch:
    def __init__(self) -> None:
        self.states: dict[tuple[UUID, Mode], RiskRecord] = {}
        #: Accounts and modes whose strategies are to pause, and why.
        self.pauses: dict[tuple[UUID, Mode], str] = {}
        #: Deployments that are to pause by themselves, and why.
        self.deployment_pauses: dict[UUID, str] = {}
        #: Terms of accounts whose kind was changed.
        self.margin_terms: dict[UUID, MarginTerms | None] = {}
        self.audit: list[AuditRecord] = []
        #: What owners are told of; something of the above goes with each.
        self.notices: list[NotificationRecord] = []
        #: The kill of the platform that was carried out.
        self.halt_done: int | None = None

    def __bool__(self) -> bool:
        acts = self.states or self.pauses or self.deployment_pauses or self.margin_terms
        return bool(acts) or self.halt_done is not None
