"""`tradectl backtesting-show`: from a run to its record, its page, and the run once more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.strategy_workers.backtests.support import walk, write_candles


def tradectl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "--folder", str(folder)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over one file, which differ in a parameter."""
    folder = tmp_path_factory.mktemp("records")
    path = write_candles(folder / "AAA.csv", walk(1, 600))
    for fast in ("3", "4"):
        done = tradectl(
            folder / "records", "backtesting", "--strategy", "sma_crossover", "--exchange", "24/7",
            "--param", f"fast={fast}", "--param", "slow=8", "--candles", str(path),
            "--html", str(folder / f"{fast}.html"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def test_runs_are_listed_shown_and_compared(folder: Path) -> None:
    listed = json.loads(tradectl(folder / "records", "backtesting-show", "--json").stdout)["items"]
    assert [one["parameters"]["fast"] for one in listed] == [3, 4]
    ids = [one["id"] for one in listed]
    page = folder / "both.html"
    compared = tradectl(folder / "records", "backtesting-show", *ids, "--html", str(page))
    assert compared.returncode == 0, compared.stderr
    rows = {line.split("  ")[0]: line.split()[-2:] for line in compared.stdout.splitlines()}
    assert rows["equity"] == [one["equity"] for one in listed]
    assert rows["parameters.fast"] == ["3", "4"]
    assert "parameters.slow" not in rows
    assert page.read_text().count("<polyline") == 2


def test_a_page_needs_nothing_from_elsewhere(folder: Path) -> None:
    page = (folder / "3.html").read_text()
    assert "<svg" in page
    assert "executions digest" in page
    for outside in ("http:", "https:", "src=", "href=", "<script"):
        assert outside not in page


def test_a_repeated_run_gives_the_same_and_other_data_is_refused(folder: Path) -> None:
    again = tradectl(folder / "records", "backtesting-show", "last", "--repeat")
    assert (again.returncode, again.stdout) == (0, "the same result\n"), again.stderr
    other = folder / "other"
    other.mkdir()
    write_candles(other / "AAA.csv", walk(2, 600))
    refused = tradectl(
        folder / "records", "backtesting-show", "last", "--repeat", "--data", str(other)
    )
    assert refused.returncode == 2
    assert "its SHA-256 differs" in refused.stderr


def test_a_record_that_is_not_there_is_one_sentence_and_exit_code_2(folder: Path) -> None:
    refused = tradectl(folder / "records", "backtesting-show", "nope")
    assert refused.returncode == 2
    assert "there is no backtest nope" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
