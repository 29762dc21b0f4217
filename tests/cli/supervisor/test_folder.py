import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.errors import BadInputError, CliError
from cli.supervisor.folder import (
    DataFolder,
    InstanceLock,
    read_json,
    running_supervisor,
    started_at,
    write_json,
)

_HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from cli.supervisor.folder import DataFolder, InstanceLock
lock = InstanceLock(DataFolder(Path(sys.argv[1])))
lock.take(0)
child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_nothing_runs_in_a_fresh_folder(folder: DataFolder) -> None:
    assert running_supervisor(folder) is None


def test_a_second_supervisor_is_refused_while_the_first_lives(folder: DataFolder) -> None:
    with InstanceLock(folder) as lock:
        lock.take(0)
        assert running_supervisor(folder) == os.getpid()
        with pytest.raises(CliError, match=f"already running \\(process {os.getpid()}\\)"):
            InstanceLock(folder).take(5)
    assert running_supervisor(folder) is None


def test_after_a_kill_the_lock_stays_taken_until_the_last_child_has_ended(
    folder: DataFolder,
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder.path)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        assert running_supervisor(folder) == holder.pid
        holder.kill()
        holder.wait()
        assert running_supervisor(folder) is None
        with pytest.raises(CliError, match="still ending"):
            InstanceLock(folder).take(0.1)
    finally:
        os.kill(child, 9)
    with InstanceLock(folder) as lock:
        lock.take(5)


def test_a_process_id_that_was_given_to_another_process_is_not_taken_for_the_supervisor(
    folder: DataFolder,
) -> None:
    folder.lock.write_text(f"{os.getpid()} 1\n")
    assert started_at(os.getpid()) != "1"
    with folder.lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert running_supervisor(folder) is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read_json(path) is None
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "instance.json"
    path.write_text("{")
    with pytest.raises(CliError, match=r"instance\.json"):
        read_json(path)


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BadInputError, match="empty folder"):
        DataFolder(tmp_path).prepare()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_start_that_was_interrupted_early_can_be_repeated(tmp_path: Path) -> None:
    DataFolder(tmp_path).prepare()
    DataFolder(tmp_path).prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CliError, match="can't use the data folder"):
        DataFolder(tmp_path / "data").prepare()
