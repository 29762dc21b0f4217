"""Deflated Sharpe ratio: how likely the best of many trials has any skill at all.

The best of many Sharpe ratios is large by chance alone. The probability that a true Sharpe ratio is
above what the best of so many unskilled trials is expected to show, given the length of the
record, its skewness and its fat tails.

D. H. Bailey, M. López de Prado: "The Deflated Sharpe Ratio: Correcting for Selection Bias,
Backtest Overfitting and Non-Normality", Journal of Portfolio Management 40 (5), 2014.
https://www.davidhbailey.com/dhbpapers/deflated-sharpe.pdf
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, sqrt
from statistics import NormalDist, fmean

_EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Moments:
    """Of a series of returns; the Sharpe ratio is theirs, not annualised."""

    count: int
    sharpe: float
    skewness: float
    #: 3 for a normal distribution.
    kurtosis: float


def moments(returns: Sequence[float]) -> Moments | None:
    """None with fewer than two returns, and when they don't vary."""
    count = len(returns)
    if count < 2:
        return None
    mean = fmean(returns)
    second, third, fourth = (
        sum((one - mean) ** power for one in returns) / count for power in (2, 3, 4)
    )
    if second <= 1e-24:
        return None
    sample_deviation = sqrt(second * count / (count - 1))
    return Moments(count, mean / sample_deviation, third / second**1.5, fourth / second**2)


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Of `trials` without skill whose Sharpe ratios have this variance; zero for a single one."""
    if trials < 2:
        return 0.0
    first = _NORMAL.inv_cdf(1 - 1 / trials)
    second = _NORMAL.inv_cdf(1 - 1 / (trials * e))
    return sqrt(variance) * ((1 - _EULER_MASCHERONI) * first + _EULER_MASCHERONI * second)


def probabilistic_sharpe(found: Moments, benchmark: float) -> float | None:
    """Probability that the true ratio is above `benchmark`. None where the estimate fails."""
    spread = 1 - found.skewness * found.sharpe + (found.kurtosis - 1) / 4 * found.sharpe**2
    if spread <= 0:
        return None
    return _NORMAL.cdf((found.sharpe - benchmark) * sqrt(found.count - 1) / sqrt(spread))


def deflated_sharpe(best: Moments, trials: int, variance: float) -> float | None:
    """`trials` made, whose Sharpe ratios (per period as `best`'s, not annualised) vary so."""
    return probabilistic_sharpe(best, expected_best_sharpe(trials, variance))
