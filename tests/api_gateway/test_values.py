"""Exact numbers at the HTTP edge."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import PlainSerializer

import api_gateway.main  # noqa: F401 - all views are known then
from api_gateway.values import Exact, View


class Amount(View):
    amount: Exact
    maybe: Exact | None = None


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E-8", "0.00000001"), ("0E-12", "0"), ("-1.50E-7", "-0.00000015"), ("1E+3", "1000")],
)
def test_answers_have_no_exponents_and_no_trailing_zeros(value: str, text: str) -> None:
    answer = Amount(amount=Decimal(value), maybe=Decimal(value))
    assert answer.model_dump_json() == f'{{"amount":"{text}","maybe":"{text}"}}'


def _views(of: type[View] = View) -> list[type[View]]:
    return [found for view in of.__subclasses__() for found in (view, *_views(view))]


def _careless(annotation: Any, metadata: Iterable[Any]) -> bool:
    """Whether somewhere in it a decimal is left to pydantic, which writes exponents."""
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    if annotation is Decimal:
        return not any(isinstance(each, PlainSerializer) for each in metadata)
    return any(_careless(each, ()) for each in get_args(annotation))


def test_every_decimal_of_an_answer_is_written_that_way() -> None:
    class Careless(View):
        plain: Exact | None
        amounts: dict[str, list[Decimal] | None]

    careless = {
        (view.__name__, name)
        for view in _views()
        for name, field in view.model_fields.items()
        if _careless(field.annotation, field.metadata)
    }
    assert careless == {("Careless", "amounts")}
    assert len(_views()) > 20
