"""Options of a backtest that make its account a margin account."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.errors import BadInputError

if TYPE_CHECKING:
    from shared.models.margin import MarginTerms


@dataclass(frozen=True)
class Lending:
    """The options as they were typed."""

    margin: bool = False
    margin_terms: str | None = None
    borrow_fee_bps: str = "0"


CASH_ACCOUNT = Lending()


def margin_terms(given: Lending) -> "MarginTerms | None":
    """None of a cash account. Raises BadInputError."""
    from shared.models.margin import BadMarginTermsError, MarginTerms, parse_margin_terms

    if given.margin_terms is None:
        return MarginTerms() if given.margin else None
    try:
        terms = parse_margin_terms(json.loads(given.margin_terms))
    except ValueError:
        raise BadInputError("--margin-terms is not JSON") from None
    except BadMarginTermsError as error:
        raise BadInputError(f"the margin terms can't be used: {error}") from error
    if terms is None:
        raise BadInputError("--margin-terms must be a JSON object")
    return terms
