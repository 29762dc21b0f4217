"""Calmar ratio: annual return over the largest drawdown, both as fractions.

https://en.wikipedia.org/wiki/Calmar_ratio
"""


def calmar(annual_return_fraction: float | None, drawdown_fraction: float | None) -> float | None:
    """None without an annual return, and as long as there is no drawdown."""
    if annual_return_fraction is None or not drawdown_fraction:
        return None
    return annual_return_fraction / drawdown_fraction
