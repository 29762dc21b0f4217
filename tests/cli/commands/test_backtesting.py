"""`tradectl backtesting` and `list-strategies`, as their users run them: no server is there."""

import hashlib
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.strategy_workers.backtests.support import walk, write_candles, write_prints

_ENTRY = ["--strategy", "sma_crossover", "--exchange", "24/7"]
_FAST = ["--param", "fast=3", "--param", "slow=8"]


def tradectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = ["--no-record"] if arguments[0] == "backtesting" else []
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments, *kept],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_candles(tmp_path_factory.mktemp("candles") / "AAA.csv", walk(1, 600))


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prints") / "prints.csv"
    return write_prints(path, {"AAA": walk(1, 600)})


def test_candles_and_their_prints_give_the_same_result(candles: Path, prints: Path) -> None:
    reports = []
    for source in (("--candles", str(candles)), ("--trades", str(prints))):
        done = tradectl("backtesting", *_ENTRY, *_FAST, *source, "--json")
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(done.stdout))
    ours, theirs = reports
    assert ours["orders"] > 5
    assert ours["executions_digest"] == theirs["executions_digest"]
    assert ours["equity"] == theirs["equity"]
    # The last moments differ: the last print comes before the end of its candle.
    for name in ("trades", "win_rate", "profit_factor", "max_drawdown", "expectancy"):
        assert ours["metrics"][name] == theirs["metrics"][name]


def test_the_table_says_what_the_json_says(candles: Path) -> None:
    done = tradectl("backtesting", *_ENTRY, *_FAST, "--candles", str(candles))
    assert done.returncode == 0, done.stderr
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if " " in line)
    report = json.loads(
        tradectl("backtesting", *_ENTRY, *_FAST, "--candles", str(candles), "--json").stdout
    )
    assert rows["equity"] == report["equity"]
    assert rows["trades"] == str(report["metrics"]["trades"])
    assert report["executions_digest"] in done.stdout


def test_an_export_holds_all_that_is_needed_to_run_it_again(candles: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    done = tradectl(
        "backtesting", *_ENTRY, *_FAST, "--candles", str(candles), "--export", str(folder),
        "--fee-bps", "2", "--slippage-bps", "0.5", "--capital", "5000", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["backtest.json"]
    exported = json.loads((folder / "backtest.json").read_text())
    settings = exported["settings"]
    assert settings["parameters"]["fast"] == 3
    assert settings["paper_terms"]["commission"] == {"model": "percent", "bps": "2"}
    assert settings["paper_terms"]["slippage"] == {"model": "bps", "bps": "0.5"}
    assert settings["capital"] == "5000"
    (file,) = settings["files"]
    assert file["sha256"] == hashlib.sha256(candles.read_bytes()).hexdigest()
    assert len(settings["strategy_version"]) == 64
    assert len(exported["trades"]) == exported["metrics"]["trades"]
    bought = sum(one["side"] == "buy" for one in exported["executions"])
    assert bought == -(-len(exported["executions"]) // 2)
    assert exported["equity_curve"][-1][1] == exported["equity"]
    profits = sum(Decimal(one["profit"]) for one in exported["trades"])
    if not exported["position"]:
        assert Decimal(exported["equity"]) == 5000 + profits


def test_the_same_input_gives_the_same_export(candles: Path, tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        done = tradectl(
            "backtesting", *_ENTRY, *_FAST, "--candles", str(candles), "--export", str(folder)
        )
        assert done.returncode == 0, done.stderr
        written.append((folder / "backtest.json").read_bytes())
    assert written[0] == written[1]


def test_a_time_range_takes_whole_days(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "AAA.csv", walk(1, 3 * 1440))
    done = tradectl(
        "backtesting", *_ENTRY, "--candles", str(path), "--timerange", "20190108-20190108", "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] == 1440
    assert report["first"].startswith("2019-01-08T00:00:00")
    assert report["last"].startswith("2019-01-09T00:00:00")


def test_gaps_are_reported(tmp_path: Path) -> None:
    bars = walk(1, 100)
    path = write_candles(tmp_path / "AAA.csv", bars[:40] + bars[50:])
    done = tradectl("backtesting", *_ENTRY, "--candles", str(path))
    assert done.returncode == 0
    assert "1 gaps, 10 intervals" in done.stderr
    report = json.loads(tradectl("backtesting", *_ENTRY, "--candles", str(path), "--json").stdout)
    assert report["gaps"]["count"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--strategy", "no_such"], "there is no strategy no_such; there are bollinger_breakout"),
        (["--param", "fast=0"], "fast: must be from 2"),
        (["--param", "fast=30", "--param", "slow=10"], "fast: must be below slow"),
        (["--param", "speed=3"], "speed"),
        (["--param", "fast"], "--param must look like name=value"),
        (["--timeframe", "2m"], "there is no timeframe 2m"),
        (["--timerange", "2019"], "a time range looks like"),
        (["--timerange", "20190110-20190107"], "ends before it begins"),
        (["--timerange", "20200101-"], "there are no candles of AAA in 20200101-"),
        (["--capital", "0"], "--capital must be above 0"),
        (["--capital", "much"], "--capital must be a number"),
        (["--fee-bps", "-1"], "--fee-bps must be from 0"),
        (["--slippage-bps", "NaN"], "--slippage-bps"),
        (["--exchange", "NOWHERE"], "there is no exchange NOWHERE"),
        (["--candles", "/no/such.csv"], "can't read /no/such.csv"),
        (["--trades", "/no/such.csv"], "either --trades or --candles"),
    ],
)
def test_a_bad_argument_is_one_sentence_and_exit_code_2(
    candles: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    folder = tmp_path / "export"
    done = tradectl(
        "backtesting", *_ENTRY, "--candles", str(candles), "--export", str(folder), *arguments
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not folder.exists()


@pytest.mark.parametrize("source", ["--candles", "--trades"])
def test_unsorted_data_is_one_sentence_and_exit_code_2(tmp_path: Path, source: str) -> None:
    bars = walk(1, 5)
    path = tmp_path / "AAA.csv"
    if source == "--candles":
        write_candles(path, [*bars[2:], *bars[:2]])
    else:
        write_prints(path, {"AAA": bars})
        header, *lines = path.read_text().splitlines()
        path.write_text("\n".join([header, *lines[8:], *lines[:8]]) + "\n")
    done = tradectl("backtesting", *_ENTRY, source, str(path))
    assert done.returncode == 2
    assert "line" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_export_that_can_not_be_written_leaves_what_was_there(
    candles: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = tradectl("backtesting", *_ENTRY, "--candles", str(candles), "--export", str(taken))
    assert done.returncode == 2
    assert taken.read_text() == "mine"


def test_strategies_are_listed_with_their_parameters() -> None:
    listed = tradectl("list-strategies", "--json")
    assert listed.returncode == 0
    names = {one["name"]: one for one in json.loads(listed.stdout)}
    assert names["sma_crossover"]["parameters"]["properties"]["fast"]["default"] == 10
    table = tradectl("list-strategies")
    assert "sma_crossover" in table.stdout
    assert "fast=10" in table.stdout
