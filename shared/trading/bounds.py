"""Bounds of numbers that people choose."""

from decimal import Decimal


def within(name: str, value: Decimal | int, least: int, most: int) -> None:
    """Finite, at most 12 decimals, from `least` to `most`; else ValueError, which decoders tell
    with its place in the document."""
    exact = Decimal(value)
    if not exact.is_finite() or not least <= exact <= most:
        raise ValueError(f"{name} must be from {least} to {most}")
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "it is finite"
    if exponent < -12:
        raise ValueError(f"{name} must have at most 12 decimals")
