from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from shared.database.tables import StrategyVersionRow


class UploadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    author_id: UUID
    file_name: Annotated[str, Field(min_length=4, max_length=200)]
    content: Base64Bytes


class DecisionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    decision: Literal["approved", "rejected"]
    by: UUID
    reason: Annotated[str, Field(max_length=500)] | None = None


class FindingView(BaseModel):
    check: str
    passed: bool
    said: str


class VersionView(BaseModel):
    strategy: str
    version: int
    status: str
    author_id: UUID
    digest: str
    findings: list[FindingView]
    uploaded_at: datetime
    decided_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, row: StrategyVersionRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class VersionList(BaseModel):
    items: list[VersionView]
    next_cursor: None = None
