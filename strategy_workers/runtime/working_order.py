from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.orders import GroupRole, Side


class WorkingOrder(msgspec.Struct):
    """An order that this deployment sent and that hasn't ended yet."""

    symbol: str
    side: Side
    open_qty: Decimal
    limit_price: Decimal | None
    #: Where a stop is, or a trailing one begins.
    stop_price: Decimal | None = None
    #: None until the order processor's answer.
    order_id: UUID | None = None
    #: Its end is asked for, or another order in its place.
    cancelling: bool = False
    filled_qty: Decimal = Decimal(0)
    #: Of an order in a group: what all of it have in common, and what it is for.
    group: str | None = None
    role: GroupRole | None = None

    @property
    def is_exit(self) -> bool:
        return self.role is not None and self.role != "entry"

    def adds_to(self, position: Decimal) -> bool:
        """Would it open a position or make it larger, long or short?"""
        if self.role is not None:
            return self.role == "entry"
        return position == 0 or (position > 0) == (self.side == "buy")
