import os

from cli.commands.options import DataDir, data_folder
from cli.errors import NotRunningError
from cli.supervisor.folder import running_supervisor, stop_supervisor

#: Three stages of draining and two servers to stop, at their longest.
_STOP_TIMEOUT_S = 90.0


def down(data_dir: DataDir = None) -> None:
    """Stop the platform cleanly, and wait until nothing of it runs."""
    folder = data_folder(data_dir)
    pid = running_supervisor(folder)
    if pid is None:
        raise NotRunningError(f"no platform runs in {folder.path}")
    stop_supervisor(folder, pid, _STOP_TIMEOUT_S)
    print(f"Stopped the platform in {os.fspath(folder.path)}.")
