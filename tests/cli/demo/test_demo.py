"""The demo on a platform of its own, up to its end: nothing runs on, nothing stays."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo.report import DemoReport

_DEMO = [sys.executable, "-m", "cli", "demo"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo makes its temporary folders; open to the user that Postgres runs as."""
    folder = Path(tempfile.mkdtemp(prefix="demo-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _mentions(folder: Path) -> list[str]:
    """Commands of living processes that belong to a platform below the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            told = command + (process / "environ").read_bytes()
            if bytes(folder) in told and int(process.name) != os.getpid():
                found.append(command.decode(errors="replace"))
    return found


def _environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary)}


def test_a_demo_prints_one_json_object_and_leaves_nothing(temporary: Path) -> None:
    done = subprocess.run(
        [*_DEMO, "--json"],
        env=_environment(temporary),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == set(DemoReport.__dataclass_fields__)
    assert report["ticks"] == 240 * 120 * 2
    assert report["executions"] > 0
    assert report["websocket_messages"] > 0
    assert list(temporary.iterdir()) == []
    assert _mentions(temporary) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_stopped_takes_its_platform_with_it(
    temporary: Path, how: signal.Signals
) -> None:
    demo = subprocess.Popen(
        [*_DEMO, "--json"],
        env=_environment(temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not list(temporary.glob("trading-demo-*/pg/postmaster.pid")):
        assert time.monotonic() < deadline, "the platform began to start"
        time.sleep(0.02)
    demo.send_signal(how)
    output, errors = demo.communicate(timeout=60)
    assert output == ""
    if how is signal.SIGINT:
        assert demo.returncode == 1
        assert errors == "tradectl: interrupted; everything was stopped\n"
    deadline = time.monotonic() + 60
    while _mentions(temporary) or list(temporary.glob("trading-demo-*/pg")):
        assert time.monotonic() < deadline, _mentions(temporary)
        time.sleep(0.05)


def test_bad_input_starts_nothing(temporary: Path) -> None:
    for arguments in (
        ["--trades", "/no/such/file.csv"],
        ["--timeframe", "7m"],
        ["--url", "http://127.0.0.1:1"],
        ["--admin-email", "a@example.com"],
        ["--url", "ftp://host", "--admin-email", "a@example.com"],
    ):
        done = subprocess.run(
            [*_DEMO, *arguments],
            env=_environment(temporary),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert done.stderr.startswith("tradectl: ")
        assert len(done.stderr.splitlines()) == 1
    assert list(temporary.iterdir()) == []


def test_a_gateway_that_is_not_there_is_one_sentence(temporary: Path) -> None:
    done = subprocess.run(
        [*_DEMO, "--url", "http://127.0.0.1:1", "--admin-email", "a@example.com"],
        env=_environment(temporary) | {"DEMO_ADMIN_PASSWORD": "x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("tradectl: no gateway answers at http://127.0.0.1:1")
