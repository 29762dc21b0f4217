"""Measures of luck, against the figures of the papers and by hand."""

from math import sqrt

import pytest

from shared.metrics.deflated_sharpe import (
    Moments,
    deflated_sharpe,
    expected_best_sharpe,
    moments,
    probabilistic_sharpe,
)
from shared.metrics.overfitting import Block, blocks_of, overfitting_probability

#: The paper's example: five years of daily returns, an annual Sharpe ratio of 2.5, 100 trials
#: whose annual Sharpe ratios vary by 1/2.
DAYS = 250
SHARPE = 2.5 / sqrt(DAYS)
VARIANCE = 0.5 / DAYS


def test_the_example_of_the_paper() -> None:
    found = Moments(1250, SHARPE, skewness=-3, kurtosis=10)
    assert expected_best_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(found, 100, VARIANCE) == pytest.approx(0.9004, abs=5e-5)
    # With 46 trials it would be significant; with normal returns, 88 would do.
    assert deflated_sharpe(found, 46, VARIANCE) == pytest.approx(0.9505, abs=5e-5)
    normal = Moments(1250, SHARPE, skewness=0, kurtosis=3)
    assert deflated_sharpe(normal, 88, VARIANCE) == pytest.approx(0.9505, abs=5e-5)


def test_moments_by_hand() -> None:
    found = moments([1.0, 2.0, 3.0, 6.0])
    # Mean 3; deviations -2 -1 0 3: squares 14, cubes 18, fourth powers 98.
    assert found == Moments(
        4,
        pytest.approx(3 / sqrt(14 / 3)),  # type: ignore[arg-type]
        pytest.approx(4.5 / 3.5**1.5),  # type: ignore[arg-type]
        pytest.approx(24.5 / 3.5**2),  # type: ignore[arg-type]
    )
    assert moments([0.1]) is None
    assert moments([0.1, 0.1, 0.1]) is None


def test_one_trial_is_judged_against_zero() -> None:
    found = Moments(101, 0.1, 0.0, 3.0)
    assert expected_best_sharpe(1, VARIANCE) == 0.0
    # z = 0.1 * 10 / sqrt(1 + 0.005): 0.99751, Φ = 0.8407
    assert deflated_sharpe(found, 1, VARIANCE) == pytest.approx(0.8407, abs=5e-5)
    assert probabilistic_sharpe(found, 0.1) == pytest.approx(0.5)


def test_a_spread_below_zero_says_nothing() -> None:
    assert probabilistic_sharpe(Moments(10, 2.0, 3.0, 1.0), 0.0) is None


def _trial(*means: float) -> list[Block]:
    """Each block has the returns mean - 1 and mean + 1."""
    return [Block(2, 2 * mean, (mean - 1) ** 2 + (mean + 1) ** 2) for mean in means]


def test_a_trial_that_is_always_the_best_is_no_overfitting() -> None:
    trials = [_trial(4, 4, 4, 4), _trial(1, 2, 1, 2), _trial(0, 0, 1, 0)]
    assert overfitting_probability(trials) == 0.0


def test_what_is_best_in_one_half_only_is_overfitting() -> None:
    # Two halves: the first trial wins in the one, the second in the other.
    assert overfitting_probability([_trial(5, 0), _trial(0, 5)]) == 1.0


def test_the_share_is_that_of_the_divisions() -> None:
    # A half of 3 and 0 has the returns 2 4 -1 1, and a Sharpe ratio of 1.5 / sqrt(13/3) = 0.72; a
    # half of 0.5 and 0.5 one of 0.43. With both 3 on one side the trial that is chosen loses in
    # the other half: 2 of the 6 divisions.
    steady = _trial(0.5, 0.5, 0.5, 0.5)
    assert overfitting_probability([_trial(3, 3, 0, 0), steady]) == pytest.approx(1 / 3)
    # Of three 3 there is one on each side in all of them; with only one, never.
    assert overfitting_probability([_trial(3, 3, 3, 0), steady]) == 0.0
    assert overfitting_probability([_trial(3, 0, 0, 0), steady]) == 1.0


def test_equal_trials_share_their_rank() -> None:
    # The middle rank of two: (1.5) / 3 is one half, which counts as overfitting.
    assert overfitting_probability([_trial(1, 1), _trial(1, 1)]) == 1.0


def test_blocks_are_equal_parts_in_order() -> None:
    blocks = blocks_of([float(n) for n in range(9)], 4)
    assert blocks is not None
    assert [block.returns for block in blocks] == [2, 2, 2, 3]
    assert blocks[-1] == Block(3, 21.0, 149.0)
    assert blocks_of([0.1] * 7, 4) is None


def test_too_little_says_nothing() -> None:
    assert overfitting_probability([_trial(1, 2)]) is None
    # Returns that don't vary count as a Sharpe ratio of zero.
    still = [Block(2, 0.0, 0.0)] * 2
    assert overfitting_probability([_trial(1, 1), still]) == 0.0
