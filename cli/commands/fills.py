"""Options of a backtest that say how its orders fill and what that costs."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import BadInputError

if TYPE_CHECKING:
    from shared.trading.paper_terms import PaperTerms

_MOST_BYTES = 100_000


def paper_terms(
    fill_model: Path | None,
    fee: str | None,
    slippage: str | None,
    fee_bps: Decimal | None,
    slippage_bps: Decimal | None,
) -> "PaperTerms":
    """A document of terms, of which the other options replace parts. Raises BadInputError."""
    from shared.trading.paper_terms import BadPaperTermsError, parse_paper_terms

    document = {} if fill_model is None else _read(fill_model)
    parts: list[tuple[str, str, Any]] = []
    if fee is not None:
        parts.append(("--fee", "commission", _json("--fee", fee)))
    if slippage is not None:
        parts.append(("--slippage", "slippage", _json("--slippage", slippage)))
    if fee_bps is not None:
        model = {"model": "percent", "bps": str(fee_bps)}
        parts.append(("--fee-bps", "commission", model))
    if slippage_bps is not None:
        parts.append(("--slippage-bps", "slippage", {"model": "bps", "bps": str(slippage_bps)}))
    said: dict[str, str] = {}
    for option, name, value in parts:
        if name in said:
            raise BadInputError(f"give either {said[name]} or {option}")
        said[name] = option
        document[name] = value
    try:
        return parse_paper_terms(document)
    except BadPaperTermsError as error:
        raise BadInputError(f"the fill model can't be used: {error}") from error


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


def _json(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BadInputError(
            f'{option} must be a model as JSON, such as {{"model": "none"}}, not {text}'
        ) from None
