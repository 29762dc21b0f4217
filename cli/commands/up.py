import shlex
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DataDir, data_folder
from cli.embedded.processes import end_with_parent
from cli.errors import CliError
from cli.supervisor.background import await_start, up_command
from cli.supervisor.folder import DataFolder, running_supervisor
from cli.supervisor.instance import Summary, run_instance
from cli.supervisor.ports import check_base
from cli.supervisor.secrets import read_secrets


def up(
    data_dir: DataDir = None,
    port_base: Annotated[
        int | None,
        typer.Option(help="First of the six ports of the services; 8000, if free, when not given."),
    ] = None,
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready, and leave it running.")
    ] = False,
    stop_with_parent: Annotated[
        bool, typer.Option("--stop-with-parent", help="Also when it is killed.", hidden=True)
    ] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Log changes, and no secret.", hidden=True)
    ] = False,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Remove the data folder at the end.", hidden=True)
    ] = False,
) -> None:
    """Start the whole platform on embedded Postgres and Valkey, and keep it running."""
    folder = data_folder(data_dir)
    if port_base is not None:
        check_base(port_base)  # before anything is made
    if detach:
        _detach(folder, port_base)
        return
    if stop_with_parent:
        end_with_parent(signal.SIGTERM)
    from rich.console import Console

    from cli.supervisor.view import BackgroundView, PlainView, TableView

    console = Console()
    if background or not console.is_terminal:
        view = BackgroundView() if background else PlainView()
        run_instance(folder, port_base=port_base, ephemeral=ephemeral, view=view)
        return
    with TableView(console) as table:
        run_instance(folder, port_base=port_base, ephemeral=ephemeral, view=table)


def _detach(folder: DataFolder, port_base: int | None) -> None:
    pid = running_supervisor(folder) if folder.lock.exists() else None
    if pid is not None:
        raise CliError(f"the platform in {folder.path} is already running (process {pid})")
    folder.prepare()
    log = folder.log("supervisor")
    first_start = not folder.secrets.exists()
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            up_command(folder.path, port_base),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        state = await_start(process, folder, log)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise CliError("interrupted; the platform was stopped again") from None
    from cli.supervisor.view import summary_lines

    summary = Summary(**state["summary"], start_s=time.monotonic() - began)
    if first_start and summary.password_is_generated:
        summary = replace(summary, admin_password=read_secrets(folder.secrets)["ADMIN_PASSWORD"])
    print("\n".join(summary_lines(summary)))
    print("It runs in the background; stop it with: tradectl down" + _same_folder(folder.path))


def _same_folder(path: Path) -> str:
    return "" if path == data_folder(None).path else f" --data-dir {shlex.quote(str(path))}"
