"""A platform of the demo's own: started for it, and gone after it."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.demo.run import Admin
from cli.embedded.processes import start_child, stop_child
from cli.supervisor.background import await_start, up_command
from cli.supervisor.folder import DataFolder
from cli.supervisor.secrets import read_secrets
from cli.supervisor.services import operator_settings

_STOP_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class OwnPlatform:
    url: str
    admin: Admin


@contextlib.contextmanager
def own_platform(data_folder: Path | None) -> Iterator[OwnPlatform]:
    """In `data_folder`, which stays, or in a temporary one, which goes with the platform.

    Its supervisor is a child: if this process is killed it stops by itself.
    """
    ephemeral = data_folder is None
    path = data_folder or Path(tempfile.mkdtemp(prefix="trading-demo-"))
    if ephemeral and os.geteuid() == 0:
        path.chmod(0o711)  # Postgres runs as another user below it
    folder = DataFolder(path.resolve())
    folder.prepare()
    log = folder.log("supervisor")
    process = start_child(
        up_command(folder.path, None, ephemeral=ephemeral),
        log=log,
        on_parent_death=signal.SIGTERM,
    )
    try:
        state = await_start(process, folder, log)
        operator = operator_settings(os.environ)
        password = operator.get("ADMIN_PASSWORD") or read_secrets(folder.secrets)["ADMIN_PASSWORD"]
        yield OwnPlatform(state["url"], Admin(state["summary"]["admin_email"], password))
    finally:
        stop_child(process, signal.SIGTERM, timeout_s=_STOP_TIMEOUT_S)
