"""Moving a part of a position from one strategy of an account to another, or to what is traded by
hand."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.base import Message
from shared.models.identifiers import AccountId, Mode, Symbol
from shared.models.risk import Origin


class PositionConversion(msgspec.Struct, frozen=True):
    client_conversion_id: str
    symbol: Symbol
    #: None: what is traded by hand.
    from_deployment_id: UUID | None
    to_deployment_id: UUID | None
    #: Signed like the position that it was a part of, and what that had cost.
    qty: Decimal
    cost: Decimal
    #: Number of the last execution before it.
    execution_seq: int
    at: datetime
    submitted_by: str
    reason: str | None = None


class ConvertPosition(Message, frozen=True, tag="convert_position"):
    """At most one conversion for a (account, mode, client_conversion_id), however often it is
    sent."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_conversion_id: str
    submitted_by: str
    symbol: Symbol
    from_deployment_id: UUID | None
    to_deployment_id: UUID | None
    #: Above zero, also of a short position.
    qty: Decimal
    reason: str | None = None
    origin: Origin | None = None


class PositionConversionReply(Message, frozen=True, tag="position_conversion_reply"):
    request_id: str
    conversion: PositionConversion
    #: The command was a repetition: this is the first answer's.
    repeated: bool = False
