"""Shapes of symbol mappings."""

from typing import Literal

from pydantic import Field

from api_gateway.values import Exact, UtcTime, View


class MappingView(View):
    #: A broker or a provider.
    party: str = Field(examples=["yahoo"])
    symbol: str = Field(examples=["RELIANCE.NSE"])
    #: What it is called there.
    token: str = Field(examples=["RELIANCE.NS"])
    #: As they call it.
    exchange: str | None
    kind: (
        Literal["equity", "etf", "index", "future", "option", "currency", "crypto", "bond", "fund"]
        | None
    )
    lot_size: Exact | None
    tick_size: Exact | None
    updated_by: str
    updated_at: UtcTime


class MappingsUploaded(View):
    added: int
    changed: int
    unchanged: int


class MappingSetLoaded(MappingsUploaded):
    #: Instruments that nobody had described.
    instruments: int


class MissingMappingView(View):
    party: str
    symbol: str
    #: Ours.
    exchange: str = Field(examples=["XNSE"])
    #: When a name was first needed.
    first_at: UtcTime
