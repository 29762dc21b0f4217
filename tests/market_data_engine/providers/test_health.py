"""Health, breaker and hysteresis: pure, so time is a number."""

import pytest

from market_data_engine.providers.breaker import Breaker, BreakerTerms
from market_data_engine.providers.health import (
    WINDOW_S,
    CallRecord,
    Health,
    Standing,
    Thresholds,
)

TERMS = BreakerTerms(failures=3, cooldown_s=10, most_cooldown_s=35)


@pytest.mark.parametrize(
    ("health", "score"),
    [
        (Health(1, 1, 1, 1), 1.0),
        (Health(0, 0, 0, 0), 0.0),
        (Health(0, 1, 1, 1), 0.55),
        (Health(1, 0, 1, 1), 0.75),
        (Health(1, 1, 0, 1), 0.80),
        (Health(1, 1, 1, 0), 0.90),
        (Health(0.5, 0.5, 0.5, 0.5), 0.5),
    ],
)
def test_the_score_weighs_breaker_latency_errors_and_completeness(
    health: Health, score: float
) -> None:
    assert health.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("latency_s", "part"), [(0.1, 1.0), (0.5, 1.0), (2.75, 0.5), (5.0, 0.0), (60.0, 0.0)]
)
def test_latency_counts_between_good_and_bad_in_proportion(latency_s: float, part: float) -> None:
    record = CallRecord()
    record.note(0, latency_s, sound=True)
    assert record.health(1, "closed", Thresholds()).latency == pytest.approx(part)


def test_errors_and_completeness_are_shares_of_the_last_calls() -> None:
    record = CallRecord()
    record.note(0, 0.1, sound=True, completeness=1.0)
    record.note(0, 0.1, sound=True, completeness=0.5)
    record.note(0, 0.1, sound=False)
    health = record.health(1, "closed", Thresholds())
    assert (health.errors, health.completeness) == (pytest.approx(2 / 3), 0.75)


def test_who_was_not_asked_lately_has_done_nothing_wrong() -> None:
    record = CallRecord()
    for _ in range(100):
        record.note(0, 60.0, sound=False)
    assert record.health(1, "open", Thresholds()).score == pytest.approx(0.10)
    assert record.health(WINDOW_S, "half_open", Thresholds()).score == pytest.approx(0.775)


@pytest.mark.parametrize(
    ("scores", "promoted"),
    [
        ([0.56], True),
        ([0.55], True),
        ([0.549], False),
        ([0.549, 0.70], False),
        ([0.549, 0.701], True),
        ([0.549, 0.60, 0.69, 0.60], False),
        ([0.549, 0.71, 0.56], True),
    ],
)
def test_a_provider_is_demoted_below_the_lower_and_promoted_above_the_upper_threshold(
    scores: list[float], promoted: bool
) -> None:
    standing = Standing()
    for score in scores:
        standing.see(score, Thresholds())
    assert standing.promoted is promoted


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(TERMS)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.state(0) == "closed"
    breaker.failed(0)
    assert breaker.state(0) == breaker.state(9.9) == "open"
    assert not breaker.allows(9.9)
    assert breaker.state(10) == "half_open"


def test_a_refusal_opens_it_at_once() -> None:
    breaker = Breaker(TERMS)
    breaker.failed(0, at_once=True)
    assert breaker.state(0) == "open"


def test_half_open_lets_one_attempt_through_and_forgets_one_that_is_never_heard_of() -> None:
    breaker = Breaker(TERMS)
    breaker.failed(0, at_once=True)
    assert breaker.allows(10)
    breaker.attempt(10, longest_s=60)
    assert not breaker.allows(11)
    assert breaker.allows(70)
    breaker.succeeded()
    assert breaker.state(70) == "closed"


def test_each_failed_attempt_doubles_the_pause_up_to_a_bound() -> None:
    breaker = Breaker(TERMS)
    breaker.failed(0, at_once=True)
    pauses, now_s = [], 0.0
    for _ in range(4):
        began_s = now_s
        while breaker.state(now_s) == "open":
            now_s += 1
        pauses.append(now_s - began_s)
        breaker.failed(now_s)
    assert pauses == [10, 20, 35, 35]


def test_a_failure_of_a_question_from_before_does_not_lengthen_the_pause() -> None:
    breaker = Breaker(TERMS)
    breaker.failed(0, at_once=True)
    breaker.failed(5)
    assert breaker.state(10) == "half_open"
