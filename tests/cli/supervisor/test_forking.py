"""Forked services behave as if they had been started by `python -m`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_FORKER = """
import os, signal, sys, time
from pathlib import Path
from cli.supervisor.forking import fork_module
folder, module = Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, lambda *_: None)
child = fork_module(
    module,
    log=folder / "log",
    environment={"GREETING": "hello", "PATH": os.environ["PATH"]},
    folder=folder,
    ignore=[signal.SIGTERM],
)
print(child.pid, flush=True)
print(child.wait(30), flush=True)
"""


def _forker(folder: Path, module: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _FORKER, str(folder), module], stdout=subprocess.PIPE, text=True
    )


def _result(folder: Path, source: str) -> tuple[int, str]:
    (folder / "service.py").write_text(source)
    with _forker(folder, "service") as forker:
        output, _ = forker.communicate(timeout=30)
    return int(output.split()[1]), (folder / "log").read_text()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit", 0),
        ("raise SystemExit('it went wrong')", 1),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_its_exit_code_is_what_the_interpreter_would_give(
    tmp_path: Path, source: str, code: int
) -> None:
    assert _result(tmp_path, source)[0] == code


def test_a_failure_is_told_in_its_log(tmp_path: Path) -> None:
    assert "ZeroDivisionError" in _result(tmp_path, "1 / 0")[1]
    assert "it went wrong" in _result(tmp_path, "raise SystemExit('it went wrong')")[1]


def test_it_has_its_own_environment_folder_session_and_name(tmp_path: Path) -> None:
    source = """
import os, sys
print(sorted(os.environ), os.environ["GREETING"])
print(os.getcwd())
print(os.getsid(0) == os.getpid())
print(open("/proc/self/cmdline").read().split("\\0")[:3])
print(open("/proc/self/comm").read().strip())
print(__name__, sys.argv[1:])
"""
    _, log = _result(tmp_path, source)
    assert log.splitlines() == [
        "['GREETING', 'PATH'] hello",
        str(tmp_path),
        "True",
        str([sys.executable, "-m", "service"]),
        "service",
        "__main__ []",
    ]


def test_it_ends_with_the_process_that_forked_it(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("import time; time.sleep(60)")
    forker = _forker(tmp_path, "service")
    assert forker.stdout is not None
    child = int(forker.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    os.kill(forker.pid, signal.SIGKILL)
    forker.communicate()
    deadline = time.monotonic() + 40
    while _alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
