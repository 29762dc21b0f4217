"""The main job, end to end: prints become candles, signals, paper orders and positions."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.platform.conftest import Platform, run

pytestmark = pytest.mark.timeout(180)

TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
_KILL_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def undisturbed(platform: Platform, trades_file: Path) -> dict[str, Any]:
    return platform.demo("--trades", str(trades_file))


def admin(platform: Platform) -> httpx.Client:
    signed_in = httpx.post(
        f"{platform.url}/api/v1/auth/login",
        json={"login": platform.admin_email, "password": platform.admin_password},
        timeout=30,
    )
    assert signed_in.status_code == 200, signed_in.text
    token = signed_in.json()["access_token"]
    return httpx.Client(
        base_url=platform.url, timeout=30, headers={"Authorization": f"Bearer {token}"}
    )


def test_the_report_adds_up(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["ticks"] == 60_000
    assert undisturbed["executions"] > 10
    assert undisturbed["orders"] >= undisturbed["executions"]
    assert undisturbed["signals"] >= undisturbed["orders"]
    assert Decimal(undisturbed["fees"]) > 0
    assert Decimal(undisturbed["cash"]) > 0
    assert undisturbed["websocket_messages"] > undisturbed["executions"]
    assert set(undisturbed["candles"]) == set(TIMEFRAMES)


def test_the_same_input_gives_the_same_executions(
    platform: Platform, trades_file: Path, undisturbed: dict[str, Any]
) -> None:
    again = platform.demo("--trades", str(trades_file))
    for name in ("executions_digest", "executions", "cash", "equity", "position", "candles"):
        assert again[name] == undisturbed[name]


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(3)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def _burn() -> None:
    while True:
        sum(range(10_000))


def test_a_loaded_machine_changes_nothing(
    platform: Platform, trades_file: Path, undisturbed: dict[str, Any]
) -> None:
    with busy_machine():
        loaded = platform.demo("--trades", str(trades_file))
    assert loaded["executions_digest"] == undisturbed["executions_digest"]


@pytest.mark.parametrize("service", ["order_processor", "strategy_workers"])
def test_kill_9_in_the_middle_changes_nothing(
    platform: Platform, trades_file: Path, undisturbed: dict[str, Any], service: str
) -> None:
    victim = platform.pid_of(service)
    with subprocess.Popen(
        platform.demo_command("--trades", str(trades_file)),
        env=platform.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        ticks = _wait_until_under_way(platform, demo)
        os.kill(victim, signal.SIGKILL)
        output, errors = demo.communicate(timeout=_KILL_TIMEOUT_S)
    assert demo.returncode == 0, errors
    assert 0 < ticks < 60_000, "the kill came in the middle"
    assert f'"executions_digest": "{undisturbed["executions_digest"]}"' in output
    assert platform.pid_of(service) != victim, "the supervisor started it again"


def _wait_until_under_way(platform: Platform, demo: subprocess.Popen[str]) -> int:
    """Ticks replayed when the newest run was first seen between an eighth and three quarters."""
    with admin(platform) as client:
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        while time.monotonic() < deadline:
            assert demo.poll() is None, "the demo ended before it was disturbed"
            newest = client.get("/api/v1/replays", params={"limit": 1}).json()["items"]
            if newest and newest[0]["status"] == "running" and newest[0]["ticks"] > 7_500:
                return int(newest[0]["ticks"])
        raise AssertionError("no replay got under way")


@pytest.fixture(scope="module")
def prints(trades_file: Path) -> pl.DataFrame:
    return read_prints([trades_file])


def read_prints(paths: list[Path]) -> pl.DataFrame:
    frames = [pl.read_csv(path, columns=["timestamp", "symbol", "price", "size"]) for path in paths]
    return (
        pl.concat(frames)
        .with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC", time_unit="ms"))
        .sort("timestamp", maintain_order=True)
    )


#: Length of the intraday intervals; they count from 04:00 in New York, 08:00 UTC on that day.
_EVERY = {
    "1m": "1m",
    "3m": "3m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1h",
    "4h": "4h",
}


def independent_candles(prints: pl.DataFrame, timeframe: str) -> dict[str, tuple[float, ...]]:
    """Start (RFC 3339) → open, high, low, close, volume, from one New York day of one symbol."""
    if timeframe in _EVERY:
        grouped = prints.group_by(pl.col("timestamp").dt.truncate(_EVERY[timeframe]).alias("start"))
    else:  # the day and the week both begin with this day's session
        day = pl.lit("2013-10-07T08:00:00").str.to_datetime(time_zone="UTC", time_unit="ms")
        grouped = prints.group_by(day.alias("start"))
    candles = grouped.agg(
        pl.col("price").first().alias("open"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.col("price").last().alias("close"),
        pl.col("size").sum().cast(pl.Float64).alias("volume"),
    )
    return {
        start.strftime("%Y-%m-%dT%H:%M:%SZ"): tuple(values)
        for start, *values in candles.sort("start").iter_rows()
    }


def served_candles(
    client: httpx.Client, symbol: str, timeframe: str
) -> dict[str, tuple[float, ...]]:
    """All candles of the day, the forming one included, page by page."""
    candles: dict[str, tuple[float, ...]] = {}
    query: dict[str, str | int] = {
        "timeframe": timeframe,
        "start": "2013-10-06T00:00:00Z",
        "end": "2013-10-13T00:00:00Z",
        "limit": 200,
    }
    while True:
        answer = client.get(f"/api/v1/candles/{symbol}", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for candle in page["items"]:
            values = tuple(candle[name] for name in ("open", "high", "low", "close", "volume"))
            candles[candle["start"]] = values
        if page["next_cursor"] is None:
            return candles
        query["cursor"] = page["next_cursor"]


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_candles_equal_those_computed_from_the_file(
    platform: Platform, prints: pl.DataFrame, timeframe: str
) -> None:
    with admin(platform) as client:
        for symbol in ("AAA", "BBB"):
            own = prints.filter(pl.col("symbol") == symbol)
            served = served_candles(client, symbol, timeframe)
            assert served == independent_candles(own, timeframe)
            assert sum(values[4] for values in served.values()) == own["size"].sum()


def test_a_real_day_of_spy(platform: Platform, market_data_folder: Path) -> None:
    path = market_data_folder / "trades" / "SPY_20131007.csv.gz"
    report = platform.demo("--trades", str(path))
    spy = read_prints([path])
    assert report["ticks"] == len(spy) == 250_601
    assert report["executions"] > 0
    with admin(platform) as client:
        for timeframe in TIMEFRAMES:
            served = served_candles(client, "SPY", timeframe)
            assert served == independent_candles(spy, timeframe)
            assert len(served) == report["candles"][timeframe]


HEADER = "timestamp,symbol,price,size\n"
GOOD = "2013-10-07T14:00:00.000Z,AAA,10.00,100\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER + GOOD + "2013-10-07T14:00:01.000Z,AAA,ten,100\n", "line 3"),
        (HEADER + GOOD + "2013-10-07T14:00:01.000Z,AAA\n", "line 3"),
        (HEADER + GOOD + "2013-10-07T13:59:59.000Z,AAA,10.00,100\n", "line 3"),
        (HEADER + "2013-10-07T14:00:00.000Z,AAA,NaN,100\n", "line 2"),
        (HEADER + "2013-10-07T14:00:00.000Z,AAA,10.00,-5\n", "line 2"),
        (HEADER + "yesterday,AAA,10.00,100\n", "line 2"),
        ("timestamp,symbol,price\n2013-10-07T14:00:00.000Z,AAA,10.00\n", "size"),
        (HEADER, "no trade after the header"),
        ("", ""),
    ],
)
def test_a_bad_file_is_one_sentence_and_exit_code_2(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    refused = run("demo", "--trades", str(path), "--data-dir", str(tmp_path / "data"), "--json")
    assert_refused(refused, says)
    assert not (tmp_path / "data").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--strategy", "no_such_strategy"], "no_such_strategy"),
        (["--param", "fast=ten"], "fast"),
        (["--param", "fast=0"], "fast"),
        (["--param", "fast=30", "--param", "slow=10"], "fast"),
        (["--param", "speed=3"], "speed"),
        (["--param", "fast"], "fast"),
        (["--timeframe", "2m"], "2m"),
        (["--capital", "NaN"], "capital"),
        (["--capital", "-1"], "capital"),
        (["--trades", "/no/such/file.csv"], "/no/such/file.csv"),
    ],
)
def test_a_bad_argument_is_one_sentence_and_exit_code_2(
    platform: Platform, arguments: list[str], says: str
) -> None:
    refused = subprocess.run(
        platform.demo_command(*arguments),
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert_refused(refused, says)


# --- candles as files ---------------------------------------------------------------------------


def test_candles_are_exported_as_they_are_answered(
    platform: Platform, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "aaa.parquet"
    where = ["--data-dir", str(platform.folder)]
    done = run("data", "export", str(file), "--symbol", "AAA", "--timeframe", "5m", *where)
    assert done.returncode == 0, done.stderr
    with admin(platform) as client:
        answer = client.get(
            "/api/v1/candles/AAA",
            params={"timeframe": "5m", "start": "2013-01-01T00:00:00Z", "limit": 10_000},
        ).json()
    table = pl.read_parquet(file)
    assert table.height > 70
    assert table["close"].to_list() == [item["close"] for item in answer["items"]]
    assert table["trades"].sum() == sum(item["trades"] for item in answer["items"])
    assert table["start"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list() == [
        item["start"] for item in answer["items"]
    ]
    assert set(table["symbol"]) == {"AAA"}


def test_the_candles_of_a_run_are_verified(platform: Platform, undisturbed: dict[str, Any]) -> None:
    done = run(
        "data", "verify", "--symbol", "AAA", "--symbol", "BBB", "--json",
        "--data-dir", str(platform.folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout)["items"]
    assert {(one["symbol"], one["timeframe"]) for one in reports} == {
        (symbol, timeframe)
        for symbol in ("AAA", "BBB")
        for timeframe in TIMEFRAMES
        if timeframe not in ("1d", "1w")  # the day isn't over when the trades are
    }
    assert [one["errors"] for one in reports] == [0] * len(reports)
    minutes = next(one for one in reports if one["timeframe"] == "1m")
    assert minutes["candles"] + minutes["missing"] == 390


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--symbol", "NOBODY"], "no such instrument"),
        (["--symbol", "AAA", "--timeframe", "2m"], "2m"),
        (["--symbol", "AAA", "--from", "yesterday"], "start"),
        (["--symbol", "AAA", "--from", "2031-01-01T00:00:00Z"], "no 1m candles"),
    ],
)
def test_an_export_of_nothing_is_one_sentence_and_leaves_no_file(
    platform: Platform,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    where = ["--data-dir", str(platform.folder)]
    done = run("data", "export", str(tmp_path / "none.parquet"), *arguments, *where)
    assert_refused(done, says)
    assert list(tmp_path.iterdir()) == []


def assert_refused(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_books_of_all_that_was_traded_are_verified(
    platform: Platform, undisturbed: dict[str, Any]
) -> None:
    where = ("--data-dir", str(platform.folder))
    done = run("books", "verify", "--json", *where)
    assert done.returncode == 0, done.stderr
    check = json.loads(done.stdout)
    assert (check["status"], check["differences"], check["details"]) == ("done", 0, [])
    assert check["executions"] >= undisturbed["executions"]
    shown = run("books", "verify", *where)
    assert shown.stdout.endswith("All of it adds up.\n")
    for account in ("x", "00000000-0000-4000-8000-000000000000"):
        bad = run("books", "verify", "--account", account, *where)
        assert (bad.returncode, bad.stderr.count("\n")) == (2, 1), bad.stderr
