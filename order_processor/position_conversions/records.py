from uuid import UUID

import msgspec

from shared.models.conversions import PositionConversion
from shared.models.identifiers import Mode


class Owner(msgspec.Struct, frozen=True):
    account_id: UUID
    mode: Mode
    #: It trades, or its worker has not let go of it yet: it would not learn of it.
    active: bool
    stopped: bool


class ConversionRecord(PositionConversion, frozen=True, kw_only=True):
    account_id: UUID
    mode: Mode
