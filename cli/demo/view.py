"""The demo on a terminal: progress on stderr, the result on stdout."""

import contextlib
from collections.abc import Callable, Iterator

from rich import progress
from rich.console import Console

from cli.demo.report import DemoReport
from cli.demo.run import Progress


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn("replaying"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("trades"),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def show(now: Progress) -> None:
            bar.update(task, completed=now.ticks, total=now.total_ticks)

        yield show


def show_report(report: DemoReport) -> None:
    for title, value in report.rows():
        print(f"{title:<20}{value}")
