"""The whole platform, started by its own supervisor in a folder of its own, on free ports."""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port_base

TRADECTL = [sys.executable, "-m", "cli"]
_START_TIMEOUT_S = 90


class Platform:
    """A running platform and the command line that talks to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = self.status()["url"]
        secrets = dict(
            line.split("=", 1) for line in (folder / "secrets.env").read_text().splitlines() if line
        )
        self.admin_email = secrets["ADMIN_EMAIL"]
        self.admin_password = secrets["ADMIN_PASSWORD"]

    def status(self) -> dict[str, Any]:
        done = run("status", "--json", "--data-dir", str(self.folder))
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def pid_of(self, service: str) -> int:
        pid: int = self.status()["members"][service]["pid"]
        return pid

    def demo_command(self, *arguments: str) -> list[str]:
        where = ["--url", self.url, "--admin-email", self.admin_email, "--json"]
        return [*TRADECTL, "demo", *where, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"DEMO_ADMIN_PASSWORD": self.admin_password}

    def demo(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            self.demo_command(*arguments), env=self.environment, capture_output=True, timeout=100
        )
        assert done.returncode == 0, done.stderr.decode()
        report: dict[str, Any] = json.loads(done.stdout)
        return report


def run(*arguments: str, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TRADECTL, *arguments], capture_output=True, text=True, timeout=timeout_s
    )


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="platform-"))
    folder.chmod(0o711)
    started = run(
        "up", "--detach", "--data-dir", str(folder), "--port-base", str(free_port_base()),
        timeout_s=_START_TIMEOUT_S,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    yield Platform(folder)
    stopped = run("down", "--data-dir", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    assert stopped.returncode == 0, stopped.stderr


def write_trades(path: Path, count: int, symbols: tuple[str, ...] = ("AAA", "BBB")) -> None:
    """A seeded day of trades between New York's open and close, walking a hundredth at a time."""
    chance = random.Random(20131007)
    start = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
    span_ms = 390 * 60_000
    prices = {symbol: 50.0 + 25 * place for place, symbol in enumerate(symbols)}
    with gzip.open(path, "wt", newline="") as lines:
        lines.write("timestamp,symbol,price,size,exchange\n")
        for at_ms in sorted(chance.randrange(span_ms) for _ in range(count)):
            symbol = chance.choice(symbols)
            prices[symbol] = round(max(1.0, prices[symbol] + chance.choice((-0.01, 0, 0.01))), 2)
            at = (start + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
            size = chance.randrange(1, 500)
            lines.write(f"{at}Z,{symbol},{prices[symbol]:.2f},{size},Q\n")


@pytest.fixture(scope="session")
def trades_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trades") / "day.csv.gz"
    write_trades(path, 60_000)
    return path
