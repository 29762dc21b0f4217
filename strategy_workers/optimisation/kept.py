"""Studies that are kept, wherever that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from strategy_workers.optimisation.journal import SUFFIX, check_name, read_journal
from strategy_workers.optimisation.shared_study import read_shared, shared_names
from strategy_workers.optimisation.trial import Trial


def names_in(place: Path | Engine) -> list[str]:
    if isinstance(place, Path):
        return sorted(path.stem for path in place.glob(f"*{SUFFIX}"))
    return shared_names(place)


def read_study(place: Path | Engine, name: str) -> tuple[dict[str, Any], dict[int, Trial]]:
    """Settings and finished trials. Raises BacktestError."""
    if isinstance(place, Path):
        return read_journal(place / f"{check_name(name)}{SUFFIX}")
    return read_shared(place, name)
