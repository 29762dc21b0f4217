"""Total return: profit or loss as a fraction of the capital that was put in.

https://en.wikipedia.org/wiki/Rate_of_return#Return
"""

from decimal import Decimal


def total_return_fraction(capital: Decimal, equity: Decimal) -> float | None:
    """0.1 for ten percent. None without capital."""
    if capital <= 0:
        return None
    return float((equity - capital) / capital)
