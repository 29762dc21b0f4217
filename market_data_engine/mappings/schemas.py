"""HTTP shapes of symbol mappings. Decimals are strings on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from market_data_engine.instruments.schemas import ExactText

Kind = Literal["equity", "etf", "index", "future", "option", "currency", "crypto", "bond", "fund"]


class Mapping(BaseModel):
    #: A broker or a provider.
    party: str
    symbol: str
    #: What it is called there.
    token: str
    #: As they call it; None when they don't ask.
    exchange: str | None = None
    kind: Kind | None = None
    lot_size: ExactText | None = None
    tick_size: ExactText | None = None


class KeptMapping(Mapping):
    updated_by: str
    updated_at: datetime


class MappingList(BaseModel):
    items: list[KeptMapping]
    next_cursor: str | None


class Uploaded(BaseModel):
    added: int
    changed: int
    unchanged: int


class MissingMapping(BaseModel):
    party: str
    symbol: str
    #: Ours.
    exchange: str
    first_at: datetime


class MissingMappingList(BaseModel):
    items: list[MissingMapping]
    next_cursor: str | None


class SetLoaded(Uploaded):
    #: Instruments that nobody had described.
    instruments: int
