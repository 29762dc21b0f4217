"""What the options of a margin account are taken to mean."""

from decimal import Decimal

import pytest

from cli.backtests.lending import CASH_ACCOUNT, Lending, margin_terms
from cli.errors import BadInputError
from shared.models.margin import MarginTerms


def test_an_account_is_a_cash_account_unless_it_is_asked_for_margin() -> None:
    assert margin_terms(CASH_ACCOUNT) is None
    assert margin_terms(Lending(margin=True)) == MarginTerms()
    asked = Lending(margin_terms='{"interest_bps": "600"}')
    assert margin_terms(asked) == MarginTerms(interest_bps=Decimal(600))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"initial_percent": "5"}', '{"leverage": "4"}', '"50"']
)
def test_terms_that_make_no_sense_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadInputError):
        margin_terms(Lending(margin_terms=text))
