"""What a configuration must be before it is swapped in."""

from typing import Any

import pytest
from pydantic import ValidationError

from market_data_engine.providers.configuration import Capability, Configuration, faults

KNOWN: dict[str, set[Capability]] = {
    "alpaca": {"bars_1m", "bars_1d", "trades"},
    "yahoo": {"bars_1m", "bars_1d"},
}
POLICIES = {"bars_1m": ["alpaca"], "bars_1d": ["alpaca"], "trades": ["alpaca"]}


def test_what_the_engine_begins_with_is_sound() -> None:
    assert faults(Configuration(), KNOWN) == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"policies": {**POLICIES, "trades": ["nobody"]}}, "policies.trades: 'nobody' is no prov"),
        ({"policies": {**POLICIES, "bars_1m": []}}, "policies.bars_1m names no provider"),
        ({"policies": {"bars_1m": ["alpaca"]}}, "policies.bars_1d names no provider"),
        ({"policies": {**POLICIES, "bars_1m": ["alpaca", "alpaca"]}}, "names alpaca twice"),
        ({"policies": {**POLICIES, "trades": ["yahoo"]}}, "yahoo can't be asked for it"),
        ({"limits": {"nobody": {}}}, "limits.nobody: 'nobody' is no provider"),
        ({"limits": {"alpaca": {"requests_per_minute": 0}}}, "requests_per_minute must be above"),
        ({"limits": {"alpaca": {"requests_per_minute": -5}}}, "requests_per_minute must be above"),
        ({"limits": {"alpaca": {"requests_per_minute": float("nan")}}}, "requests_per_minute"),
        ({"limits": {"alpaca": {"requests_per_minute": float("inf")}}}, "requests_per_minute"),
        ({"limits": {"alpaca": {"burst": 0}}}, "burst must be from 1"),
        ({"thresholds": {"demote_below": 0.8}}, "demote_below must be below promote_above"),
        ({"thresholds": {"demote_below": 0.7}}, "demote_below must be below promote_above"),
        ({"thresholds": {"promote_above": 1.5}}, "from 0 to 1"),
        ({"thresholds": {"demote_below": float("nan")}}, "from 0 to 1"),
        ({"thresholds": {"latency_good_s": 9}}, "latency_good_s must be"),
        ({"thresholds": {"latency_bad_s": float("nan")}}, "latency_good_s must be"),
        ({"breaker": {"failures": 0}}, "breaker.failures"),
        ({"breaker": {"cooldown_s": 0}}, "breaker.cooldown_s"),
        ({"breaker": {"cooldown_s": 700}}, "breaker.cooldown_s"),
        ({"tiers": {"T0": ["aapl"]}}, "'aapl' is no symbol"),
        ({"tiers": {"T0": ["AAPL"], "T1": ["AAPL"]}}, "AAPL is named twice"),
        ({"tiers": {"T2": [f"S{n}" for n in range(5001)]}}, "more than 5000"),
        ({"cadences_s": {"T0": 0}}, "cadences_s.T0 must be from 1"),
        ({"cadences_s": {"T2": float("nan")}}, "cadences_s.T2 must be from 1"),
        ({"cadences_s": {"T2": 90_000}}, "cadences_s.T2 must be from 1"),
        ({"cadences_s": {"T0": 600}}, "T0 must be looked at as often as T1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    wanted: dict[str, Any], reason: str
) -> None:
    (fault,) = [
        fault for fault in faults(Configuration.model_validate(wanted), KNOWN) if reason in fault
    ]
    assert fault.endswith(".")


@pytest.mark.parametrize(
    "wanted", [{"more": 1}, {"tiers": {"T9": []}}, {"policies": {"options": []}}, {"limits": 7}]
)
def test_what_has_another_shape_is_no_configuration(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Configuration.model_validate(wanted)
