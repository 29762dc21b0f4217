"""Options of a backtest that say how its orders fill and what that costs."""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import BadInputError

if TYPE_CHECKING:
    from shared.trading.paper_terms import PaperTerms

_MOST_BYTES = 100_000
_MOST_BPS = 10_000


@dataclass(frozen=True)
class Fills:
    """The options as they were typed."""

    fill_model: Path | None = None
    fee: str | None = None
    slippage: str | None = None
    fee_bps: str | None = None
    slippage_bps: str | None = None


def paper_terms(given: Fills) -> "PaperTerms":
    """A document of terms, of which the other options replace parts. Raises BadInputError."""
    from shared.trading.paper_terms import BadPaperTermsError, parse_paper_terms

    try:
        return parse_paper_terms(terms_document(given))
    except BadPaperTermsError as error:
        raise BadInputError(f"the fill model can't be used: {error}") from error


def terms_document(given: Fills) -> dict[str, Any]:
    """Only what was given. Raises BadInputError."""
    if given.fee is not None and given.fee_bps is not None:
        raise BadInputError("give either --fee or --fee-bps")
    if given.slippage is not None and given.slippage_bps is not None:
        raise BadInputError("give either --slippage or --slippage-bps")
    document = {} if given.fill_model is None else _read(given.fill_model)
    if given.fee is not None:
        document["commission"] = _json("--fee", given.fee)
    elif given.fee_bps is not None:
        document["commission"] = {"model": "percent", "bps": _bps("--fee-bps", given.fee_bps)}
    if given.slippage is not None:
        document["slippage"] = _json("--slippage", given.slippage)
    elif given.slippage_bps is not None:
        document["slippage"] = {"model": "bps", "bps": _bps("--slippage-bps", given.slippage_bps)}
    return document


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path} is too large for a fill model")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"can't read {path}: {error.strerror}") from error
    except ValueError:
        raise BadInputError(f"{path} is not JSON") from None
    if not isinstance(document, dict):
        raise BadInputError(f"{path} must hold a JSON object")
    return document


def _bps(option: str, text: str) -> str:
    try:
        bps = Decimal(text)
    except InvalidOperation:
        raise BadInputError(f"{option} must be a number, not {text}") from None
    if not bps.is_finite() or not 0 <= bps <= _MOST_BPS:
        raise BadInputError(f"{option} must be from 0 and at most {_MOST_BPS}, not {text}")
    return text


def _json(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BadInputError(
            f'{option} must be a model as JSON, such as {{"model": "none"}}, not {text}'
        ) from None
