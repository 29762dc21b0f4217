"""Exact arithmetic: how many digits there are, and which way each amount is rounded.

Everything owed is a `Decimal` with at most 12 decimals, the scale of the database's columns,
so that what is in memory and what is stored are the same number.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    getcontext,
    setcontext,
)
from decimal import localcontext as _localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ZERO = Decimal(0)
CENT = Decimal("0.01")
BASIS_POINTS = Decimal(10_000)
_DECIMALS = 12
_MOST_SIZE = 1e15
_SCALE = Decimal("1e-12")

#: Room for a product of two columns of NUMERIC(38, 12) without rounding.
_DIGITS = 80
_CONTEXT = Context(prec=_DIGITS)


def exact() -> AbstractContextManager[Context]:
    """A block with enough digits for any amount: calculations within don't set them up each."""
    return _localcontext(_CONTEXT)


def exactly(function: Callable[P, T]) -> Callable[P, T]:
    """Run with enough digits for any amount, whatever context the caller's thread has."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        callers = getcontext()
        if callers.prec == _DIGITS:  # within another exact calculation
            return function(*args, **kwargs)
        setcontext(_CONTEXT)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(callers)

    return run


def rounded_up(amount: Decimal) -> Decimal:
    return _at_scale(amount, ROUND_CEILING)


def rounded_down(amount: Decimal) -> Decimal:
    return _at_scale(amount, ROUND_FLOOR)


def rounded(amount: Decimal) -> Decimal:
    return _at_scale(amount, ROUND_HALF_EVEN)


def _at_scale(amount: Decimal, rounding: str) -> Decimal:
    """At most 12 decimals; an amount that has no more stays as short as it is."""
    text = str(amount)  # a third of the time that `as_tuple` takes, or less
    if "E" not in text:
        point = text.find(".")
        if point > 0:
            few = point >= len(text) - 1 - _DECIMALS
            return amount if few else amount.quantize(_SCALE, rounding)
        if text.isdigit():
            return amount
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), "an amount is finite"
    return amount if exponent >= -_DECIMALS else amount.quantize(_SCALE, rounding)


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def plain(amount: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: what people read."""
    text = str(amount)
    if text.isdigit() or ("." in text and text[-1] != "0" and "E" not in text):
        return amount
    return _normal(amount)


@exactly
def _normal(amount: Decimal) -> Decimal:
    normal = amount.normalize()
    exponent = normal.as_tuple().exponent
    assert isinstance(exponent, int)
    return normal.quantize(Decimal(1)) if exponent > 0 else normal


def shown(amount: Decimal) -> str:
    """As text for people; bounded, however absurd the number is."""
    if not amount.is_finite() or abs(amount.adjusted()) > 30:
        return f"{amount:.6e}"
    return f"{plain(amount):f}"


def measured(price: float) -> Decimal:
    """A measured price as an exact number: the shortest decimal that is the same float."""
    return Decimal(repr(price))


def measured_size(size: float) -> Decimal:
    """Likewise of a traded size; zero for what is none."""
    return Decimal(repr(size)) if 0 < size < _MOST_SIZE else ZERO
