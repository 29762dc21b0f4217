"""The supervisor as its users see it: real processes, from the first start to a kill."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.supervisor.services import SERVICES
from tests.ports import free_port_base

_TRADECTL = [sys.executable, "-m", "cli"]
_NAMES = {service.name for service in SERVICES} | {"postgres", "valkey"}

pytestmark = pytest.mark.timeout(180)


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_TRADECTL, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _with_folder(folder: Path) -> set[int]:
    """Every living process that mentions the folder in its command or environment."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if bytes(folder) in told and _alive(int(process.name)):
                found.add(int(process.name))
    return found - {os.getpid()}


class Instance:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = ["--data-dir", str(folder)]

    def status(self) -> dict[str, Any]:
        done = _run("status", "--json", *self.options)
        assert done.returncode == 0, done.stderr
        state: dict[str, Any] = json.loads(done.stdout)
        return state

    def pids(self) -> dict[str, int]:
        state = self.status()
        members = {name: member["pid"] for name, member in state["members"].items()}
        return members | {"supervisor": state["supervisor_pid"]}

    def admin(self) -> tuple[str, str]:
        text = (self.folder / "secrets.env").read_text()
        secrets = dict(line.split("=", 1) for line in text.splitlines())
        return secrets["ADMIN_EMAIL"], secrets["ADMIN_PASSWORD"]

    def sign_in(self, login: str, password: str) -> int:
        url = f"{self.status()['url']}/api/v1/auth/login"
        return httpx.post(url, json={"login": login, "password": password}).status_code


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="up-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def first_start(folder: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    """Of the instance that the tests below share, in their order; stopped at their end."""
    base = free_port_base()
    yield _run("up", "--detach", "--data-dir", str(folder), "--port-base", str(base))
    _run("down", "--data-dir", str(folder))


@pytest.fixture
def instance(folder: Path, first_start: subprocess.CompletedProcess[str]) -> Instance:
    assert first_start.returncode == 0, first_start.stderr
    return Instance(folder)


def test_the_first_start_shows_the_first_admins_sign_in(
    instance: Instance, first_start: subprocess.CompletedProcess[str]
) -> None:
    email, password = instance.admin()
    assert email in first_start.stdout
    assert password in first_start.stdout
    assert instance.sign_in(email, password) == 200


def test_no_log_tells_a_secret(instance: Instance) -> None:
    text = (instance.folder / "secrets.env").read_text()
    values = [line.split("=", 1)[1] for line in text.splitlines() if "EMAIL" not in line]
    for log in (instance.folder / "logs").iterdir():
        written = log.read_text(errors="replace")
        assert not [value for value in values if value in written], log


def test_status_knows_every_process(instance: Instance) -> None:
    state = instance.status()
    assert state["ready"]
    assert set(state["members"]) == _NAMES
    assert all(member["state"] == "ready" for member in state["members"].values())
    assert all(_alive(pid) for pid in instance.pids().values())
    table = _run("status", *instance.options)
    assert table.returncode == 0
    assert all(name in table.stdout for name in _NAMES)


def test_a_second_start_in_the_same_folder_is_refused_in_one_sentence(instance: Instance) -> None:
    for command in (["up"], ["up", "--detach"]):
        second = _run(*command, *instance.options)
        assert second.returncode == 1
        assert re.fullmatch(r"tradectl: the platform in .* is already running.*\n", second.stderr)
    assert instance.status()["ready"]


def test_logs_are_shown_by_service_and_with_names_together(instance: Instance) -> None:
    one = _run("logs", "postgres", "--lines", "3", *instance.options)
    assert one.returncode == 0
    assert len(one.stdout.splitlines()) == 3
    together = _run("logs", "--lines", "1", *instance.options)
    assert any(line.startswith("postgres: ") for line in together.stdout.splitlines())
    unknown = _run("logs", "nobody", *instance.options)
    assert unknown.returncode == 2
    assert "there is no log of nobody" in unknown.stderr


def test_followed_logs_show_what_is_written_later(instance: Instance) -> None:
    log = instance.folder / "logs" / "migrate.log"
    with subprocess.Popen(
        [*_TRADECTL, "logs", "migrate", "--follow", "--lines", "0", *instance.options],
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as follower:
        assert follower.stdout is not None
        try:
            os.set_blocking(follower.stdout.fileno(), False)
            seen = b""

            def grown() -> bool:
                nonlocal seen
                with log.open("a") as writer:
                    writer.write("a new line\n")
                seen += follower.stdout.read(4096) or b""  # type: ignore[union-attr]
                return b"a new line" in seen

            _wait_until(grown, "the follower shows the line")
            follower.send_signal(signal.SIGINT)
            assert follower.wait(30) == 0
        finally:
            follower.kill()


@pytest.mark.parametrize("victim", ["analytics_service", "valkey", "postgres"])
def test_what_crashes_is_started_again_and_counted(instance: Instance, victim: str) -> None:
    before = instance.status()["members"][victim]
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        state = instance.status()
        return bool(state["ready"]) and state["members"][victim]["restarts"] > before["restarts"]

    _wait_until(is_back, f"{victim} is back")
    after = instance.status()["members"][victim]
    assert after["pid"] != before["pid"]
    assert after["last_end"] == "signal 9"


def test_a_killed_supervisor_leaves_no_process_and_no_damage(instance: Instance) -> None:
    pids = instance.pids()
    ports = {name: member["port"] for name, member in instance.status()["members"].items()}
    os.kill(pids["supervisor"], signal.SIGKILL)
    _wait_until(lambda: not any(map(_alive, pids.values())), "all processes have ended")
    _wait_until(lambda: not _with_folder(instance.folder), "none is left behind")
    assert _run("status", *instance.options).returncode == 3

    again = _run("up", "--detach", *instance.options)
    assert again.returncode == 0, again.stderr
    email, password = instance.admin()
    assert password not in again.stdout
    assert "secrets.env" in again.stdout
    assert instance.sign_in(email, password) == 200
    assert ports == {name: one["port"] for name, one in instance.status()["members"].items()}


def test_down_stops_everything_and_says_so_once(instance: Instance) -> None:
    pids = instance.pids()
    stopped = _run("down", *instance.options)
    assert stopped.returncode == 0, stopped.stderr
    assert not any(map(_alive, pids.values()))
    for command in ("down", "status"):
        done = _run(command, *instance.options)
        assert done.returncode == 3
        assert done.stderr.startswith("tradectl: no platform runs in ")


def test_in_the_foreground_it_shows_each_step_and_ends_with_its_terminal(
    instance: Instance,
) -> None:
    with subprocess.Popen(
        [*_TRADECTL, "up", *instance.options], stdout=subprocess.PIPE, text=True
    ) as foreground:
        try:
            assert foreground.stdout is not None
            shown = []
            for line in foreground.stdout:
                shown.append(line)
                if line.startswith("  logs"):
                    break
            pids = instance.pids()
            foreground.send_signal(signal.SIGINT)
            shown += foreground.stdout.readlines()
            assert foreground.wait(60) == 0
        finally:
            foreground.kill()  # else a supervisor that doesn't end is waited for
    text = "".join(shown)
    assert all(f"{name}: ready" in text and f"{name}: stopped" in text for name in _NAMES)
    assert not any(map(_alive, pids.values()))


def test_a_service_that_can_not_start_is_named_with_the_reason_and_nothing_stays(
    instance: Instance,
) -> None:
    failed = _run("up", *instance.options, SESSION_TIMEOUT_MINUTES="soon")
    assert failed.returncode == 1
    why = (
        r"tradectl: \w+ does not start \(exit code 1\): SESSION_TIMEOUT_MINUTES: Input should be a "
    )
    assert re.match(why, failed.stderr), failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert not _with_folder(instance.folder)


@pytest.mark.parametrize("mode", [[], ["--detach"]])
def test_a_bad_option_is_exit_code_2_and_makes_nothing(tmp_path: Path, mode: list[str]) -> None:
    data = tmp_path / "data"
    for arguments in (["up", "--port-base", "80"], ["up", "--port-base", "x"], ["nothing"]):
        done = _run(*arguments, *mode, TRADING_DATA_DIR=str(data))
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr
        assert not data.exists()


def test_a_bad_setting_of_the_supervisor_is_exit_code_2_in_the_background_too(
    tmp_path: Path,
) -> None:
    options = ["--detach", "--data-dir", str(tmp_path)]
    done = _run("up", *options, DRAIN_TIMEOUT_S="soon")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "DRAIN_TIMEOUT_S" in done.stderr


@pytest.mark.parametrize("command", ["status", "down", "up"])
def test_a_data_folder_that_is_a_file_is_one_sentence(tmp_path: Path, command: str) -> None:
    file = tmp_path / "data"
    file.touch()
    done = _run(command, "--data-dir", str(file))
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1, done.stderr
