"""Studies that are kept, wherever that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategy_workers.optimisation.journal import SUFFIX, check_name, read_journal
from strategy_workers.optimisation.trial import Trial

if TYPE_CHECKING:
    from sqlalchemy import Engine


def names_in(place: Path | Engine) -> list[str]:
    if isinstance(place, Path):
        return sorted(path.stem for path in place.glob(f"*{SUFFIX}"))
    from strategy_workers.optimisation.shared_study import shared_names

    return shared_names(place)


def read_study(place: Path | Engine, name: str) -> tuple[dict[str, Any], dict[int, Trial]]:
    """Settings and finished trials. Raises BacktestError."""
    if isinstance(place, Path):
        return read_journal(place / f"{check_name(name)}{SUFFIX}")
    from strategy_workers.optimisation.shared_study import read_shared

    return read_shared(place, name)
