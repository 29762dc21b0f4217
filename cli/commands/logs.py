import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DataDir, data_folder
from cli.errors import BadInputError
from cli.supervisor.folder import DataFolder
from cli.supervisor.logs import last_lines
from cli.supervisor.services import SERVICES

_SERVERS = ("postgres", "valkey", "supervisor", "migrate")


def logs(
    service: Annotated[
        str | None, typer.Argument(help="A service or server; all of them when not given.")
    ] = None,
    data_dir: DataDir = None,
    lines: Annotated[int, typer.Option(min=0, max=1_000_000, help="Newest lines of each.")] = 50,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they grow.")] = False,
) -> None:
    """Show what the services and servers wrote. Works also when nothing runs any more."""
    folder = data_folder(data_dir)
    files = _files(folder, service)
    prefixed = len(files) > 1
    for name, log in files.items():
        for line in last_lines(log, lines):
            _show(name, line, prefixed=prefixed)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for name, line in _grown(files):
                _show(name, line, prefixed=prefixed)


def _files(folder: DataFolder, service: str | None) -> dict[str, Path]:
    names = [one.name for one in SERVICES] + list(_SERVERS)
    if service is not None and service not in names:
        raise BadInputError(f"there is no log of {service}; there are: {', '.join(names)}")
    if not folder.logs.is_dir():
        raise BadInputError(f"no platform was ever started in {folder.path}")
    return {name: folder.log(name) for name in names if service in (None, name)}


def _show(name: str, line: str, *, prefixed: bool) -> None:
    print(f"{name}: {line}" if prefixed else line, flush=True)


def _grown(files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """New lines, for ever; a log that was emptied is read from its beginning."""
    read = {name: log.stat().st_size if log.exists() else 0 for name, log in files.items()}
    while True:
        for name, log in files.items():
            size = log.stat().st_size if log.exists() else 0
            if size < read[name]:
                read[name] = 0
            if size == read[name]:
                continue
            with log.open("rb") as file:
                file.seek(read[name])
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            read[name] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield name, line
        time.sleep(0.2)
