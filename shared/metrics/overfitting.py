"""Probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

The time is cut into blocks. Each half of them is once "in sample", the other half then "out of
sample". Where the best trial in sample ends in the lower half of all out of sample, choosing it was
worth nothing. The share of those cases is the probability.

D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu: "The Probability of Backtest
Overfitting", Journal of Computational Finance 20 (4), 2017.
https://www.davidhbailey.com/dhbpapers/backtest-prob.pdf
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

#: 12,870 ways to halve them.
BLOCKS = 16
_LEAST_TRIALS = 2


class Block(NamedTuple):
    """Sums over the returns of one stretch of time; enough for any union's Sharpe ratio."""

    returns: int
    total: float
    squares: float


def blocks_of(returns: Sequence[float], blocks: int = BLOCKS) -> list[Block] | None:
    """Equal parts, in time order (lengths differ by one at most); None with fewer than two
    returns a block."""
    count = len(returns)
    if count < 2 * blocks:
        return None
    parts = (returns[count * n // blocks : count * (n + 1) // blocks] for n in range(blocks))
    return [Block(len(part), sum(part), sum(one * one for one in part)) for part in parts]


def overfitting_probability(trials: Sequence[Sequence[Block]]) -> float | None:
    """Of all trials made (not the good ones only), over the same time, by Sharpe ratio.

    None with fewer than two trials.
    """
    import numpy as np

    if len(trials) < _LEAST_TRIALS:
        return None
    table = np.asarray(trials, dtype=float)  # trial, block, sum
    count, blocks, _ = table.shape
    halves = list(combinations(range(blocks), blocks // 2))
    chosen = np.zeros((len(halves), blocks))
    for row, half in enumerate(halves):
        chosen[row, list(half)] = 1.0
    inside = _sharpes(np.einsum("hb,tbs->hts", chosen, table))
    outside = _sharpes(np.einsum("hb,tbs->hts", 1.0 - chosen, table))
    best = inside.argmax(axis=1)
    theirs = np.take_along_axis(outside, best[:, None], axis=1)
    # Equal ones share their ranks.
    ranks = (outside < theirs).sum(axis=1) + ((outside == theirs).sum(axis=1) + 1) / 2
    return float((ranks / (count + 1) <= 0.5).mean())


def _sharpes(sums: Any) -> Any:
    """Not annualised; zero where returns don't vary."""
    import numpy as np

    count, total, squares = (sums[..., n] for n in range(3))
    mean = total / count
    variance = (squares - count * mean * mean) / np.maximum(count - 1, 1)
    varies = variance > 1e-24
    return np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
