"""Shapes of providers of market data and of the configuration that rules them."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from api_gateway.values import Input, JsonObject, UtcTime, View

_EXAMPLE = {
    "limits": {"alpaca": {"requests_per_minute": 180, "burst": 20}},
    "policies": {
        "bars_1m": ["alpaca", "yahoo"],
        "bars_1d": ["alpaca", "yahoo"],
        "trades": ["alpaca"],
    },
    "thresholds": {
        "demote_below": 0.55,
        "promote_above": 0.7,
        "latency_good_s": 0.5,
        "latency_bad_s": 5,
    },
    "breaker": {"failures": 5, "cooldown_s": 30, "most_cooldown_s": 600},
    "tiers": {"T0": ["AAPL", "MSFT"], "T1": ["SPY"], "T2": []},
    "cadences_s": {"T0": 60, "T1": 300, "T2": 900},
}


class HealthPartsView(View):
    """Each from 0 (bad) to 1 (good)."""

    breaker: float
    latency: float
    errors: float
    completeness: float


class ProviderScore(View):
    at: UtcTime
    score: float


class ProviderView(View):
    name: str = Field(examples=["alpaca"])
    capabilities: list[Literal["bars_1m", "bars_1d", "trades"]]
    #: False while a setting is missing; `problem` names it.
    available: bool
    breaker: Literal["closed", "half_open", "open"] | None
    score: float | None = Field(
        description="0.45 breaker + 0.25 latency + 0.20 errors + 0.10 completeness."
    )
    health: HealthPartsView | None
    #: False: it is asked after all others, until its score is good again.
    promoted: bool
    #: It asked for patience; seconds that are left.
    throttled_for_s: float
    problem: str | None
    #: The last 60, one every ten seconds, newest first.
    scores: list[ProviderScore]


class ProviderList(View):
    items: list[ProviderView]
    #: When the engine that asks them told; null when none has yet.
    at: UtcTime | None
    next_cursor: None = None


class ConfigurationChange(Input):
    configuration: Annotated[JsonObject, Field(examples=[_EXAMPLE])]
    based_on: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**53,
            description="The version that it was made from: refused when another is in force.",
        ),
    ] = None


class MarketDataConfigurationView(View):
    #: 0 before anybody has changed it.
    version: int
    configuration: dict[str, JsonValue] = Field(examples=[_EXAMPLE])
