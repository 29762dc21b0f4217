"""Records of backtests as the commands make and find them."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    from strategy_workers.backtests.outcome import Progress
    from strategy_workers.backtests.plan import Plan
    from strategy_workers.records.record import Record
    from strategy_workers.records.store import RecordStore

_CHECKOUT = Path(__file__).parents[2]

Folder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of records; TRADING_BACKTESTS_DIR or .backtests when not given.",
        show_default=False,
    ),
]
Html = Annotated[
    Path | None, typer.Option(help="Write a page with charts, all in one file.", dir_okay=False)
]


def records_folder(given: Path | None) -> Path:
    chosen = given or os.environ.get("TRADING_BACKTESTS_DIR") or _CHECKOUT / ".backtests"
    folder = Path(chosen).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is not a folder")
    return folder


def open_records(given: Path | None) -> "RecordStore":
    from strategy_workers.records.store import RecordStore

    return RecordStore(records_folder(given))


def make_record(plan: "Plan", result: dict[str, Any]) -> "Record":
    from strategy_workers.records.record import record_of

    return record_of(result, plan.files, datetime.now(UTC))


def write_file(path: Path, text: str) -> None:
    """Whole or not at all."""
    from strategy_workers.records.store import write_whole

    with writing(path.parent):
        write_whole(path, text)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CliError(f"can't write into {folder}: {error.strerror}") from error


@contextlib.contextmanager
def progress_bar(title: str, unit: str) -> "Iterator[Progress]":
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
