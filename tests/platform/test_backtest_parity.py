"""The same trades, replayed through the platform and run offline, give the same executions."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from strategy_workers.backtests.digest import executions_digest
from tests.platform.conftest import Platform, run

pytestmark = pytest.mark.timeout(180)

_COMPARED = ("symbol", "side", "qty", "price", "fee", "realized_pnl", "seq")


@pytest.fixture(params=["1m", "5m"])
def timeframe(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _signed_in(platform: Platform) -> httpx.Client:
    url = f"{platform.url}/api/v1"
    answer = httpx.post(
        f"{url}/auth/login",
        json={"login": platform.admin_email, "password": platform.admin_password},
        timeout=30,
    )
    token = answer.raise_for_status().json()["access_token"]
    return httpx.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"})


def _accounts(client: httpx.Client) -> set[str]:
    found: set[str] = set()
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = client.get("/accounts", params=query).raise_for_status().json()
        found |= {account["id"] for account in page["items"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def _executions(client: httpx.Client, account: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"mode": "paper", "order": "oldest", "limit": 100}
    while True:
        answer = client.get(f"/accounts/{account}/executions", params=query)
        page = answer.raise_for_status().json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def _comparable(execution: dict[str, Any]) -> tuple[Any, ...]:
    numbers = {"qty", "price", "fee", "realized_pnl"}
    at = execution["at"].replace("+00:00", "Z")
    return at, *(
        Decimal(execution[name]) if name in numbers else execution[name] for name in _COMPARED
    )


def _offline(path: Path, timeframe: str, folder: Path) -> dict[str, Any]:
    done = run(
        "backtesting", "--strategy", "sma_crossover", "--trades", str(path),
        "--timeframe", timeframe, "--param", "fast=5", "--param", "slow=12",
        "--export", str(folder), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    exported: dict[str, Any] = json.loads((folder / "backtest.json").read_text())
    assert exported["executions_digest"] == summary["executions_digest"]
    return exported


def _compare(platform: Platform, path: Path, timeframe: str, folder: Path) -> int:
    with _signed_in(platform) as client:
        before = _accounts(client)
        live = platform.demo(
            "--trades", str(path), "--timeframe", timeframe,
            "--param", "fast=5", "--param", "slow=12",
        )  # fmt: skip
        (account,) = _accounts(client) - before
        executions = _executions(client, account)
    offline = _offline(path, timeframe, folder)
    assert len(executions) == live["executions"]
    for ours, theirs in zip(offline["executions"], executions, strict=True):
        assert _comparable(ours) == _comparable(theirs)
    assert offline["executions_digest"] == live["executions_digest"]
    assert executions_digest(executions) == live["executions_digest"]
    assert Decimal(offline["cash"]) == Decimal(live["cash"])
    assert Decimal(offline["equity"]) == Decimal(live["equity"])
    assert offline["orders"] == live["orders"]
    assert offline["signals"] == live["signals"]
    _made_again(platform, account)
    return len(executions)


def _made_again(platform: Platform, account: str) -> None:
    """As the parity report says it, of the run as it is stored; and with a dearer fee."""
    with _signed_in(platform) as client:
        listed = client.get(f"/accounts/{account}/deployments").raise_for_status().json()
    (deployment,) = (one["id"] for one in listed["items"])
    which = ("--account", account, "--deployment", deployment, "--data-dir", str(platform.folder))
    equal = run("parity", *which, "--json")
    assert equal.returncode == 0, equal.stdout + equal.stderr
    report = json.loads(equal.stdout)["report"]
    assert (report["verdict"], report["notes"], report["data"]) == ("equal", [], "files")
    dearer = run("parity", *which, "--fee-bps", "9")
    assert dearer.returncode == 1, dearer.stderr
    assert f"explained: 0 of {report['run_executions']} executions are equal" in dearer.stdout
    assert f"  fee: {report['run_executions']}\n" in dearer.stdout


def test_executions_offline_are_those_of_the_replay_one_by_one(
    platform: Platform, trades_file: Path, timeframe: str, tmp_path: Path
) -> None:
    assert _compare(platform, trades_file, timeframe, tmp_path / "result") > 5


def test_a_real_day_gives_the_same_executions_offline(
    platform: Platform, market_data_folder: Path, tmp_path: Path
) -> None:
    path = market_data_folder / "trades" / "SPY_20131007.csv.gz"
    assert _compare(platform, path, "1m", tmp_path / "result") > 5
