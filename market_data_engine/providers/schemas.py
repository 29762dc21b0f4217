"""HTTP shapes of providers and of the market data configuration."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from market_data_engine.providers.breaker import BreakerState
from market_data_engine.providers.provider import Capability


class HealthParts(BaseModel):
    breaker: float
    latency: float
    errors: float
    completeness: float


class ScoreView(BaseModel):
    at: datetime
    score: float


class ProviderView(BaseModel):
    name: str
    capabilities: list[Capability]
    #: False while a setting is missing; `problem` names it.
    available: bool
    breaker: BreakerState | None = None
    #: 0 to 1, and what it is made of.
    score: float | None = None
    health: HealthParts | None = None
    #: False: it comes after all others until its score is good again.
    promoted: bool = True
    #: It asked for patience; seconds that are left.
    throttled_for_s: float = 0.0
    #: Why the last question failed, in one sentence.
    problem: str | None = None
    #: The last 60, newest first.
    scores: list[ScoreView] = []


class ProviderList(BaseModel):
    items: list[ProviderView]
    #: When the engine that asks them told; None when none has yet.
    at: datetime | None = None
    next_cursor: None = None


class ConfigurationChange(BaseModel):
    configuration: dict[str, Any]
    requested_by: str = Field(min_length=1, max_length=200)
    #: The version that it was made from; when another one is in force by now, it is refused.
    based_on: int | None = Field(default=None, ge=0)


class ConfigurationView(BaseModel):
    version: int
    configuration: dict[str, Any]
