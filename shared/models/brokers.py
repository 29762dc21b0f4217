"""What a broker says of orders and books, in our words whichever broker it is.

Prices, quantities and cash are `Decimal`. Fills are told cumulatively: what has filled of an order
as a whole, and at which average price. Told twice or in the wrong order it means the same, and the
next word of an order tells a fill that was missed.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.models.identifiers import Symbol

#: `pending`: the broker has it, its market perhaps not yet. The last four are final.
BrokerStatus = Literal[
    "pending",
    "working",
    "partially_filled",
    "filled",
    "cancelled",
    "expired",
    "rejected",
    "replaced",
]
FINAL: frozenset[BrokerStatus] = frozenset(
    {"filled", "cancelled", "expired", "rejected", "replaced"}
)


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands at the broker."""

    client_order_id: str
    broker_order_id: str
    symbol: Symbol
    side: Literal["buy", "sell"]
    #: None of one for an amount of money, until it has filled.
    qty: Decimal | None
    status: BrokerStatus
    filled_qty: Decimal
    #: None before the first fill.
    filled_avg_price: Decimal | None
    at: datetime
    #: Why it was rejected, where the broker says.
    reason: str | None = None


class BrokerPosition(msgspec.Struct, frozen=True, kw_only=True):
    symbol: Symbol
    #: Below zero when it is short.
    qty: Decimal
    avg_price: Decimal


class BrokerAccount(msgspec.Struct, frozen=True, kw_only=True):
    number: str
    currency: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    #: Whether the broker takes orders of it at all.
    may_trade: bool


class BrokerUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to an order."""

    order: BrokerOrder
    #: Of a fill: the broker's id of this execution, and what this one traded.
    execution_id: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    #: It was among the broker's open orders when these were asked for.
    listed: bool = False
