"""HTTP shapes of live feeds."""

from typing import Literal

from pydantic import BaseModel


class FeedView(BaseModel):
    name: str
    symbols: list[str]
    #: `unavailable` lacks a setting, `idle` isn't followed now (another engine's, or stopped).
    state: Literal["unavailable", "idle", "connecting", "live", "lost", "throttled", "refused"]
    #: Why it isn't live, in one sentence.
    problem: str | None = None
    #: Connections lost since the run began.
    losses: int = 0
    #: Since anything was told; None when nothing has been yet.
    silent_s: float | None = None
    #: Strategies that depend on it wait.
    stale: bool = False


class FeedList(BaseModel):
    items: list[FeedView]
    next_cursor: None = None
