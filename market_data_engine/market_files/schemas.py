"""HTTP shapes of uploaded files."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel


class MarketFile(BaseModel):
    id: UUID
    name: str
    kind: Literal["trades", "quotes"]
    sha256: str
    rows: int
    symbols: list[str]
    first_at: datetime
    last_at: datetime
    created_at: datetime


class MarketFileList(BaseModel):
    items: list[MarketFile]
    next_cursor: str | None
