"""An instance run by a process of its own, for `up --detach` and the demo."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cli.errors import BadInputError, CliError
from cli.supervisor.folder import DataFolder, read_json
from cli.supervisor.logs import last_line

START_TIMEOUT_S = 120.0


def up_command(folder: Path, port_base: int | None, *, ephemeral: bool = False) -> list[str]:
    command = [sys.executable, "-m", "cli", "up", "--background", "--data-dir", str(folder)]
    if port_base is not None:
        command += ["--port-base", str(port_base)]
    return command + (["--ephemeral"] if ephemeral else [])


def await_start(process: subprocess.Popen[bytes], folder: DataFolder, log: Path) -> dict[str, Any]:
    """The instance's state once all of it is ready; CliError with the reason when it can't be."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        state = read_json(folder.state)
        if state is not None and state["supervisor_pid"] == process.pid and state["started"]:
            return state
        if process.poll() is not None:
            kind = BadInputError if process.returncode == BadInputError.exit_code else CliError
            raise kind(last_line(log).removeprefix("tradectl: "))
        if time.monotonic() > deadline:
            process.terminate()
            raise CliError(f"the platform was not ready after {START_TIMEOUT_S:.0f} s; see {log}")
        time.sleep(0.05)
