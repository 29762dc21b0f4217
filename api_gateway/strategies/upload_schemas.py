"""Shapes of uploaded strategies."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.values import Input, Remark, UtcTime, View


class StrategyUpload(Input):
    file_name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,190}\.(py|zip)$",
            description="Of a Python file, or of a zip of some with a strategy.py.",
            examples=["my_first.py"],
        ),
    ]
    content: Annotated[
        str,
        Field(
            max_length=720_000,
            pattern=r"^[A-Za-z0-9+/]+={0,2}$",
            description="The file's bytes in base64; 512 KiB before.",
            examples=["cHJpbnQoMSkK"],
        ),
    ]


class StrategyDecision(Input):
    decision: Literal["approved", "rejected"]
    reason: Annotated[Remark | None, Field(examples=["Reads well."])] = None


class FindingView(View):
    #: `import`, `parameters`, `dry run` or `repeatable`.
    check: str
    passed: bool
    said: str


class StrategyVersionView(View):
    strategy: str
    version: int
    status: Literal["pending", "approved", "rejected", "removed"]
    author_id: UUID
    #: SHA-256 of the files.
    digest: str
    #: What was tried before it was accepted.
    findings: list[FindingView]
    uploaded_at: UtcTime
    decided_at: UtcTime | None
    reason: str | None


class StrategyVersionList(View):
    items: list[StrategyVersionView]
    next_cursor: None = None
