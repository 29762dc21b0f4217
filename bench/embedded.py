"""A platform of the benchmark's own, run as its users run it: by `tradectl`."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.machine import processor_s

_TRADECTL = [sys.executable, "-m", "cli"]


class Embedded:
    def __init__(self, folder: Path) -> None:
        self._options = ["--data-dir", str(folder)]
        self._secrets_file = folder / "secrets.env"

    def tradectl(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [*_TRADECTL, *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"tradectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def up(self) -> None:
        self.tradectl("up", "--detach", *self._options)

    def down(self) -> None:
        self.tradectl("down", *self._options)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.tradectl("status", "--json", *self._options))
        return status

    def demo(self, *arguments: str) -> dict[str, Any]:
        lines = self._secrets_file.read_text().splitlines()
        secrets = dict(line.split("=", 1) for line in lines)
        where = ["--url", self.status()["url"], "--admin-email", secrets["ADMIN_EMAIL"], "--json"]
        output = self.tradectl(
            "demo", *where, *arguments, DEMO_ADMIN_PASSWORD=secrets["ADMIN_PASSWORD"]
        )
        report: dict[str, Any] = json.loads(output)
        return report

    def pids(self) -> list[int]:
        """Of the supervisor and everything that it started, Postgres' own processes included."""
        found = [self.status()["supervisor_pid"]]
        for pid in found:
            with contextlib.suppress(FileNotFoundError):
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += [int(child) for child in children.read_text().split()]
        return found

    def cpu_s(self) -> float:
        """Processor time of all of them since their start."""
        total_s = 0.0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError):
                total_s += processor_s(pid)
        return total_s

    def memory_mb(self) -> float:
        """Of all of them together; what several share counts once (PSS)."""
        total_kb = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total_kb += int(line.split()[1])
        return total_kb / 1024


@contextlib.contextmanager
def installed() -> Iterator[Embedded]:
    """One that has been started once, so that its data is made; stopped and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o711)  # as root, Postgres runs as another user below it
    embedded = Embedded(folder)
    try:
        embedded.up()
        yield embedded
    finally:
        with contextlib.suppress(RuntimeError):  # stopped already
            embedded.down()
        shutil.rmtree(folder, ignore_errors=True)
