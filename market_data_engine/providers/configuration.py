"""Which providers are asked for what, how fast, and which symbols are looked after.

It is swapped whole while the engine runs, and only after all of it was found to make sense.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from market_data_engine.providers.breaker import BreakerTerms
from market_data_engine.providers.health import Thresholds
from market_data_engine.providers.provider import Capability
from shared.market_files.lines import is_symbol

Tier = Literal["T0", "T1", "T2"]
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
CAPABILITIES: Final[tuple[Capability, ...]] = get_args(Capability)
#: Symbols of one tier, and of all.
MOST_SYMBOLS: Final = 5000


USUAL_CADENCES_S: Final[Mapping[Tier, float]] = {"T0": 60.0, "T1": 300.0, "T2": 900.0}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateLimit(_Part):
    """Of all engines together."""

    requests_per_minute: float = 60.0
    #: Requests that may come at once after a quiet time.
    burst: int = 10


class ThresholdTerms(_Part):
    demote_below: float = 0.55
    promote_above: float = 0.70
    latency_good_s: float = 0.5
    latency_bad_s: float = 5.0


class BreakerSettings(_Part):
    failures: int = 5
    cooldown_s: float = 30.0
    most_cooldown_s: float = 600.0


def _usual_limits() -> dict[str, RateLimit]:
    return {
        "alpaca": RateLimit(requests_per_minute=180, burst=20),
        "yahoo": RateLimit(requests_per_minute=30, burst=5),
    }


def _usual_policies() -> dict[Capability, list[str]]:
    return {
        "bars_1m": ["alpaca", "yahoo"],
        "bars_1d": ["alpaca", "yahoo"],
        "trades": ["alpaca"],
    }


class Configuration(_Part):
    limits: dict[str, RateLimit] = Field(default_factory=_usual_limits)
    #: Who is asked, first things first.
    policies: dict[Capability, list[str]] = Field(default_factory=_usual_policies)
    thresholds: ThresholdTerms = ThresholdTerms()
    breaker: BreakerSettings = BreakerSettings()
    #: The universe: symbols that are looked after, T0 the most closely. Those of live feeds are in
    #: T0 unless they are named here.
    tiers: dict[Tier, list[str]] = Field(default_factory=dict)
    #: How often each tier is looked at.
    cadences_s: dict[Tier, float] = Field(default_factory=dict)

    def limit(self, provider: str) -> RateLimit:
        return self.limits.get(provider, RateLimit())

    def cadence_s(self, tier: Tier) -> float:
        return self.cadences_s.get(tier, USUAL_CADENCES_S[tier])

    def health_thresholds(self) -> Thresholds:
        return Thresholds(**self.thresholds.model_dump())

    def breaker_terms(self) -> BreakerTerms:
        return BreakerTerms(**self.breaker.model_dump())


@dataclass(frozen=True, slots=True)
class Versioned:
    """Version 0 is what the engine begins with."""

    version: int
    configuration: Configuration


def faults(wanted: Configuration, known: Mapping[str, Collection[Capability]]) -> list[str]:
    """What is wrong with it, sentence by sentence. `known`: what each provider can be asked."""
    return [
        *_of_limits(wanted, known),
        *_of_policies(wanted, known),
        *_of_thresholds(wanted.thresholds),
        *_of_breaker(wanted.breaker),
        *_of_tiers(wanted.tiers),
        *_of_cadences(wanted),
    ]


def _of_limits(wanted: Configuration, known: Mapping[str, Collection[Capability]]) -> Iterator[str]:
    for name, limit in wanted.limits.items():
        if name not in known:
            yield _unknown(f"limits.{name}", name, known)
        if not (isfinite(limit.requests_per_minute) and 0 < limit.requests_per_minute <= 100_000):
            yield f"limits.{name}.requests_per_minute must be above 0 and at most 100000."
        if not 0 < limit.burst <= 10_000:
            yield f"limits.{name}.burst must be from 1 to 10000."


def _of_policies(
    wanted: Configuration, known: Mapping[str, Collection[Capability]]
) -> Iterator[str]:
    for capability in CAPABILITIES:
        order = wanted.policies.get(capability)
        if not order:
            yield f"policies.{capability} names no provider."
            continue
        for name in dict.fromkeys(order):
            if order.count(name) > 1:
                yield f"policies.{capability} names {name} twice."
            if name not in known:
                yield _unknown(f"policies.{capability}", name, known)
            elif capability not in known[name]:
                yield f"policies.{capability}: {name} can't be asked for it."


def _unknown(where: str, name: str, known: Mapping[str, object]) -> str:
    return f"{where}: {name[:50]!r} is no provider; these are: {', '.join(sorted(known))}."


def _of_thresholds(terms: ThresholdTerms) -> Iterator[str]:
    if not 0 <= terms.demote_below <= 1 or not 0 <= terms.promote_above <= 1:
        yield "thresholds.demote_below and promote_above must be from 0 to 1."
    elif terms.demote_below >= terms.promote_above:
        yield "thresholds.demote_below must be below promote_above."
    if not (isfinite(terms.latency_bad_s) and 0 <= terms.latency_good_s < terms.latency_bad_s):
        yield "thresholds.latency_good_s must be at least 0 and below latency_bad_s."


def _of_breaker(terms: BreakerSettings) -> Iterator[str]:
    if not 1 <= terms.failures <= 1000:
        yield "breaker.failures must be from 1 to 1000."
    if not (isfinite(terms.most_cooldown_s) and 0 < terms.cooldown_s <= terms.most_cooldown_s):
        yield "breaker.cooldown_s must be above 0 and at most most_cooldown_s."


def _of_tiers(tiers: Mapping[Tier, list[str]]) -> Iterator[str]:
    seen: set[str] = set()
    for tier, symbols in tiers.items():
        if len(symbols) > MOST_SYMBOLS:
            yield f"tiers.{tier} has more than {MOST_SYMBOLS} symbols."
        for symbol in symbols:
            if not is_symbol(symbol):
                yield f"tiers.{tier}: {symbol[:50]!r} is no symbol."
            elif symbol in seen:
                yield f"tiers.{tier}: {symbol} is named twice."
            seen.add(symbol)


def _of_cadences(wanted: Configuration) -> Iterator[str]:
    cadences_s = [wanted.cadence_s(tier) for tier in TIERS]
    for tier, cadence_s in zip(TIERS, cadences_s, strict=True):
        if not 1 <= cadence_s <= 86_400:
            yield f"cadences_s.{tier} must be from 1 to 86400."
    if cadences_s != sorted(cadences_s):
        yield "cadences_s: T0 must be looked at as often as T1 at least, and T1 as T2."
