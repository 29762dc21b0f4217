"""HTTP shapes of the instrument catalogue. Decimals are strings on the wire."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, PlainSerializer

ExactText = Annotated[Decimal, PlainSerializer(lambda value: f"{value.normalize():f}", str, "json")]


class Instrument(BaseModel):
    symbol: str
    name: str
    #: MIC, or `24/7`.
    exchange: str
    currency: str = "USD"
    tick_size: ExactText = Decimal("0.01")
    lot_size: ExactText = Decimal(1)
    tradable: bool = True
    #: It is easy to borrow, and so can be sold short.
    shortable: bool = True
    #: A year, on the value of what was borrowed.
    borrow_fee_bps: ExactText = Decimal(0)


class InstrumentList(BaseModel):
    items: list[Instrument]
    next_cursor: str | None
