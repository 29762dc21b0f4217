"""`tradectl walk-forward`, as its users run it."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.strategy_workers.backtests.support import MONDAY_NS, walk, write_candles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    bars = walk(4, 24 * 24)
    hourly = [(MONDAY_NS + (at_ns - MONDAY_NS) * 60, *rest) for at_ns, *rest in bars]
    write_candles(folder / "AAA.csv", hourly)  # type: ignore[arg-type]
    return folder


def walk_forward(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "cli", "walk-forward", "--strategy", "sma_crossover",
            "--exchange", "24/7", "--candles", str(folder / "AAA.csv"), "--timeframe", "1h",
            "--space", "fast=3:9:3", "--space", "slow=12,20", "--folder", str(folder / "records"),
            *arguments,
        ],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def test_a_walk_forward_is_stitched_and_a_resumed_one_is_the_same(folder: Path) -> None:
    page = folder / "walk.html"
    terms = ("--in-sample", "10", "--out-of-sample", "7", "--json", "--study", "walk")
    done = walk_forward(folder, *terms, "--html", str(page))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["out_of_sample"] for one in report["windows"]] == [
        "20190117-20190123",
        "20190124-20190130",
    ]
    assert [one["trials"] for one in report["windows"]] == [6, 6]
    first, second = report["windows"]
    assert first["capital"] == "100000"
    assert first["equity"] == second["capital"]
    assert report["equity"] == second["equity"] == report["equity_curve"][-1][1]
    assert Decimal(report["equity"]) != 100_000
    assert "seam" in page.read_text()
    # One window's trials are lost, and a half of the other's.
    studies = folder / "records" / "studies" / "walk"
    (studies / "window-0002.jsonl").unlink()
    file = studies / "window-0001.jsonl"
    file.write_bytes(file.read_bytes()[:-700])
    again = walk_forward(folder, *terms, "--resume", "--jobs", "1")
    assert json.loads(again.stdout) == report, again.stderr
    refused = walk_forward(folder, *terms)
    assert refused.returncode == 2
    assert "there is a walk-forward walk already" in refused.stderr


def test_a_walk_that_has_nowhere_to_go_is_one_sentence_and_leaves_no_study(folder: Path) -> None:
    done = walk_forward(folder, "--in-sample", "24", "--out-of-sample", "7", "--study", "far")
    assert done.returncode == 2
    assert "the data has 24 days, and 24 in sample leave none" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "records" / "studies" / "far").exists()
