"""Studies as the commands begin, find and show them."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backtests.records import records_folder, writing
from cli.errors import BadInputError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from strategy_workers.optimisation.search import Progress
    from strategy_workers.optimisation.trial import Trial
    from strategy_workers.optimisation.walk_forward import WalkProgress

Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--space",
        help="Values to try: fast=5:50:5, kind=a,b, or a name alone for all; repeatable.",
    ),
]
Searching = Annotated[str, typer.Option(help="grid, random or bayes.")]
Goal = Annotated[
    str,
    typer.Option(
        help="sharpe, sortino, calmar, profit, profit_factor, expectancy, drawdown,"
        " or FILE.py:function."
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, max=256, help="Processes; one for each core if not given.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of what is drawn at random.")]
LeastTrades = Annotated[
    int, typer.Option(min=0, help="Runs with fewer closed trades are left out.")
]
Trials = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help="At most so many; a grid has as many as it has."),
]
StopAfter = Annotated[
    int | None, typer.Option(min=1, help="End after so many trials without a better one.")
]
InPostgres = Annotated[
    bool,
    typer.Option(
        "--shared", help="Keep it in the platform's Postgres (DB_HOST, …), for several machines."
    ),
]
SEARCHES = ("grid", "random", "bayes")


def studies_folder(given: Path | None) -> Path:
    return records_folder(given) / "studies"


@contextlib.contextmanager
def place_of(folder: Path | None, *, shared: bool) -> "Iterator[Path | Engine]":
    """Where studies are kept. What can't be written is told in a sentence."""
    if shared:
        with postgres() as engine:
            yield engine
        return
    where = studies_folder(folder)
    with writing(where):
        yield where


@contextlib.contextmanager
def postgres() -> "Iterator[Engine]":
    from shared.config import InvalidSettingsError, Settings
    from shared.database import make_engine

    try:
        engine = make_engine(Settings())
    except InvalidSettingsError as error:
        raise BadInputError(str(error)) from error
    try:
        yield engine
    finally:
        engine.dispose()


def check_search(search: str) -> Any:
    if search not in SEARCHES:
        raise BadInputError(f"there is no search {search}; there are {', '.join(SEARCHES)}")
    return search


def usable_jobs(given: int | None) -> int:
    return given or len(os.sched_getaffinity(0))


@contextlib.contextmanager
def trials_bar(title: str) -> "Iterator[Progress]":
    from rich import progress
    from rich.console import Console

    from strategy_workers.optimisation.study import ranked

    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("trials, best {task.fields[best]}"),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    def tell(trials: "list[Trial]", total: int) -> None:
        best = ranked(trials)
        shown = f"{best[0].score:.4f}" if best else "none"
        bar.update(task, completed=len(trials), total=total, best=shown)

    with bar:
        task = bar.add_task("", total=None, best="none")
        yield tell


@contextlib.contextmanager
def windows_bar() -> "Iterator[WalkProgress]":
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn("walk-forward"),
        progress.BarColumn(),
        progress.TextColumn(
            "window {task.fields[window]}, trial {task.fields[trial]} of {task.fields[trials]}"
        ),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    def tell(window: int, windows: int, done: int, total: int) -> None:
        share = window + (done / total if total else 0)
        shown = f"{window + 1} of {windows}"
        bar.update(task, completed=share, total=windows, window=shown, trial=done, trials=total)

    with bar:
        task = bar.add_task("", total=None, window="1", trial=0, trials=0)
        yield tell


def print_warnings(warnings: list[str]) -> None:
    for warning in warnings:
        print(f"tradectl: {warning}", file=sys.stderr)
