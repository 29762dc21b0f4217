"""The demo on a terminal: progress on stderr, the result on stdout."""

import contextlib
from collections.abc import Callable, Iterator

from rich import progress
from rich.console import Console
from rich.table import Table

from cli.demo.report import DemoReport
from cli.demo.run import Progress


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    bar = progress.Progress(
        progress.TextColumn("replaying"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("trades"),
        progress.TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)

        def show(now: Progress) -> None:
            bar.update(task, completed=now.ticks, total=now.total_ticks)

        yield show


def show_report(report: DemoReport) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for title, value in report.rows():
        table.add_row(title, value)
    Console(highlight=False, soft_wrap=True).print(table)
