"""`tradectl hyperopt` and `hyperopt-list`, as their users run them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.strategy_workers.backtests.support import walk, write_candles

_SPACE = ["--space", "fast=2:6", "--space", "slow=7:19:4"]


class Desk:
    """A folder with a file of candles, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.candles = write_candles(folder / "AAA.csv", walk(1, 2 * 1440))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cli", *arguments, "--folder", str(self.folder / "records")]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=100)

    def hyperopt(self, *arguments: str) -> list[str]:
        return [
            "hyperopt", "--strategy", "sma_crossover", "--exchange", "24/7",
            "--candles", str(self.candles), "--json", *arguments,
        ]  # fmt: skip

    def search(self, *arguments: str) -> Any:
        done = self.run(*self.hyperopt(*arguments))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def test_a_killed_study_goes_on_where_it_was_and_ends_as_if_nothing_happened(desk: Desk) -> None:
    study = desk.folder / "records" / "studies" / "killed.jsonl"
    some = (*_SPACE, "--search", "random", "--trials", "9", "--seed", "5", "--jobs", "1")
    running = subprocess.Popen(
        desk.command(*desk.hyperopt(*some, "--study", "killed")), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 100
    while not study.exists() or study.read_bytes().count(b"\n") < 3:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = _children(running.pid)
    running.kill()
    running.wait()
    done_before = study.read_bytes().count(b"\n") - 1
    while any(_lives(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    resumed = desk.search(*some, "--study", "killed", "--resume")
    whole = desk.search(*some)
    assert done_before < resumed["trials"] == 9
    assert resumed == whole
    page = desk.folder / "study.html"
    shown = desk.run("hyperopt-list", "killed", "--html", str(page))
    assert f"--param fast={whole['best']['parameters']['fast']}" in shown.stdout
    assert page.read_text().count("<svg") == 3


def test_the_best_trial_is_the_run_of_its_parameters(desk: Desk) -> None:
    report = desk.search(*_SPACE[:2], "--objective", "profit", "--timerange", "-20190107")
    assert report["trials"] == 5
    best = report["best"]
    params = [f"--param={name}={value}" for name, value in best["parameters"].items()]
    single = desk.run(
        "backtesting", "--strategy", "sma_crossover", "--exchange", "24/7", "--candles",
        str(desk.candles), "--timerange", "-20190107", "--json", "--no-record", *params,
    )  # fmt: skip
    found = json.loads(single.stdout)
    assert best["metrics"] == found["metrics"]
    assert best["equity"] == found["equity"]
    assert best["score"] == max(one["score"] for one in report["items"])
    # Few days tell nothing, and it says so.
    assert "too few days" in report["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--space", "fast=2:6", "--timerange", "20300101-"], "there are no candles of AAA"),
        (["--space", "fast=2:6", "--search", "clever"], "there is no search clever"),
    ],
)
def test_what_can_not_be_run_is_one_sentence_and_leaves_no_study(
    desk: Desk, arguments: list[str], says: str
) -> None:
    done = desk.run(*desk.hyperopt(*arguments, "--study", "bad"))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (desk.folder / "records" / "studies" / "bad.jsonl").exists()


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
