"""What a demo is to do, checked as far as that is possible before anything is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from cli.errors import BadInputError
from shared.market_files.lines import MarketFileError
from shared.market_files.reading import summarize
from shared.models.identifiers import TIMEFRAMES, Timeframe

#: Without files: four hours of two markets, the same at every run.
SYNTHETIC: dict[str, Any] = {
    "symbols": ["SIM-TREND", "SIM-RANGE"],
    "start": "2026-01-05T00:00:00Z",
    "minutes": 240,
    "trades_per_minute": 120,
    "seed": 20260105,
}
_MAX_CAPITAL = Decimal(10) ** 12


@dataclass(frozen=True)
class DemoPlan:
    files: tuple[Path, ...]
    symbols: tuple[str, ...]
    strategy: str
    parameters: dict[str, Any]
    timeframe: Timeframe
    capital: Decimal


def make_plan(
    files: Sequence[Path], strategy: str, timeframe: str, parameters: Sequence[str], capital: str
) -> DemoPlan:
    """BadInputError says what is wrong. Strategy and parameters are the platform's to judge."""
    if timeframe not in TIMEFRAMES:
        raise BadInputError(f"there is no timeframe {timeframe}; there are {' '.join(TIMEFRAMES)}")
    chosen = _capital(capital)
    values = parse_parameters(parameters)
    symbols = _symbols(files) if files else list(SYNTHETIC["symbols"])
    return DemoPlan(tuple(files), tuple(symbols), strategy, values, timeframe, chosen)


def _symbols(files: Sequence[Path]) -> list[str]:
    """Symbols in all of the files. Reads every line: a bad one is found here."""
    found: dict[str, None] = {}
    for path in files:
        try:
            found.update(dict.fromkeys(summarize(path).symbols))
        except MarketFileError as error:
            raise BadInputError(str(error)) from error
        except OSError as error:
            raise BadInputError(f"can't read {path}: {error.strerror}") from error
    return list(found)


def _capital(text: str) -> Decimal:
    try:
        capital = Decimal(text)
    except InvalidOperation:
        raise BadInputError(f"--capital must be an amount, not {text}") from None
    if not capital.is_finite() or not 0 < capital <= _MAX_CAPITAL:
        raise BadInputError(f"--capital must be above 0 and at most {_MAX_CAPITAL}, not {text}")
    return capital


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Values by name, of `name=value` texts; as the numbers and flags that they look like."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadInputError(f"--param must look like name=value, not {text}")
        if name.strip() in values:
            raise BadInputError(f"--param {name.strip()} is given twice")
        values[name.strip()] = _parameter_value(value.strip())
    return values


def _parameter_value(text: str) -> int | float | bool | str:
    """As the number or flag that it looks like."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
