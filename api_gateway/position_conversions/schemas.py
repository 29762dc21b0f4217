from typing import Annotated
from uuid import UUID

from pydantic import Field

from api_gateway.values import (
    ClientOrderId,
    Exact,
    Input,
    PositiveDecimal,
    Remark,
    UtcTime,
    View,
)
from shared.models.identifiers import Mode

_OWNER = Field(description="A deployment of the account; null for what is traded by hand.")


class ConversionTicket(Input):
    qty: Annotated[
        PositiveDecimal, Field(description="Above zero, also of a short position.", examples=["10"])
    ]
    from_deployment_id: Annotated[UUID | None, _OWNER] = None
    to_deployment_id: Annotated[UUID | None, _OWNER] = None
    client_conversion_id: Annotated[
        ClientOrderId | None,
        Field(
            description="Names the conversion for the account and mode, for good: sending it again "
            "gives the first answer. Made here when absent.",
            examples=["mine-to-sma-1"],
        ),
    ] = None
    reason: Remark | None = None
    mode: Mode = "paper"


class PositionConversionView(View):
    client_conversion_id: str
    symbol: str
    #: None: what is traded by hand.
    from_deployment_id: UUID | None
    to_deployment_id: UUID | None
    #: Below zero, of a short position; and what it had cost.
    qty: Exact
    cost: Exact
    at: UtcTime
    submitted_by: str
    reason: str | None
