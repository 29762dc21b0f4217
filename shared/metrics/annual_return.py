"""Annual return: the yearly rate that compounds to the total return (CAGR).

https://en.wikipedia.org/wiki/Compound_annual_growth_rate
"""

YEAR_S = 365.25 * 86_400


def annual_return_fraction(total_return_fraction: float | None, duration_s: float) -> float | None:
    """None where the total return is none, time is none, or a rate would be beyond all measure.

    A total loss is -1.
    """
    if total_return_fraction is None or duration_s <= 0:
        return None
    if total_return_fraction <= -1:
        return -1.0
    try:
        return float((1 + total_return_fraction) ** (YEAR_S / duration_s) - 1)
    except OverflowError:
        return None
