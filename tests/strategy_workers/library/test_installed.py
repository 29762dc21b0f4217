"""Strategies of packages that are really installed: found by their entry points, and checked."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from strategy_workers.library import LIBRARY, Catalogue
from strategy_workers.library.catalogue import Package
from strategy_workers.library.installed import GROUP, with_installed

_SOURCE = """
from strategy_workers.sdk import Candle, IntParameter, Strategy


class Patient(Strategy):
    name = "patient"
    title = "Waits"
    every = IntParameter(default=5, low=1, high=50)

    def on_candle(self, candle: Candle) -> None:
        count = self.state["count"] = self.state.get("count", 0) + 1
        if count % self.every == 0:
            self.buy(candle.symbol, 1)


class SmaCrossover(Patient):
    name = "sma_crossover"


class Unnamed(Patient):
    name = "Not A Name"


class Idle(Strategy):
    name = "idle"


def no_class() -> None: ...
"""
_ENTRIES = {
    "patient": "patient_strategies:Patient",
    "taken": "patient_strategies:SmaCrossover",
    "unnamed": "patient_strategies:Unnamed",
    "idle": "patient_strategies:Idle",
    "function": "patient_strategies:no_class",
    "missing": "patient_strategies:Nobody",
    "raising": "patient_broken:Any",
    "leaving": "patient_leaving:Any",
}


def _wheel(folder: Path) -> Path:
    """A wheel is a zip of the package and of what is said about it."""
    about = "patient_strategies-2.5.1.dist-info"
    files = {
        "patient_strategies.py": _SOURCE,
        "patient_broken.py": "1 / 0\n",
        "patient_leaving.py": "raise SystemExit(3)\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: patient-strategies\nVersion: 2.5.1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[{GROUP}]\n"
        + "".join(f"{name} = {value}\n" for name, value in _ENTRIES.items()),
    }
    record = [f"{name},{_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,"]) + "\n"
    path = folder / "patient_strategies-2.5.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    target = folder / "site"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-compile", "--disable-pip-version-check", "--target", str(target),
            str(_wheel(folder)),
        ],
        check=True,
        timeout=100,
    )  # fmt: skip
    return target


@pytest.fixture
def catalogue(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    monkeypatch.syspath_prepend(installed)
    assert any(one.name == "patient-strategies" for one in distributions())
    return with_installed(LIBRARY)


def test_a_packages_strategy_is_offered_with_the_version_of_the_package(
    catalogue: Catalogue,
) -> None:
    offered = {one.strategy.name: one for one in catalogue.offered()}
    assert offered["patient"].package == Package("patient-strategies", "2.5.1")
    assert offered["patient"].strategy.title == "Waits"
    assert offered["sma_crossover"].package is None
    assert offered["sma_crossover"].strategy is LIBRARY.find("sma_crossover")
    assert len(offered) == len(LIBRARY.all()) + 1


def test_what_can_not_be_used_is_told_with_its_reason_and_stops_nothing(
    catalogue: Catalogue,
) -> None:
    told = {one.entry_point: one.reason for one in catalogue.broken}
    assert set(told) == set(_ENTRIES.values()) - {_ENTRIES["patient"]}
    assert told[_ENTRIES["taken"]] == "There is another strategy named sma_crossover."
    assert "small letters" in told[_ENTRIES["unnamed"]]
    assert "never do anything" in told[_ENTRIES["idle"]]
    assert "no class that extends Strategy" in told[_ENTRIES["function"]]
    assert "AttributeError" in told[_ENTRIES["missing"]]
    assert "ZeroDivisionError: division by zero" in told[_ENTRIES["raising"]]
    assert "SystemExit: 3" in told[_ENTRIES["leaving"]]
    assert {one.package for one in catalogue.broken} == {Package("patient-strategies", "2.5.1")}


def test_the_command_line_lists_and_runs_it(installed: Path, tmp_path: Path) -> None:
    listed = _tradectl(installed, "list-strategies", "--json")
    (mine,) = (one for one in json.loads(listed.stdout) if one["name"] == "patient")
    assert mine["package"] == {"name": "patient-strategies", "version": "2.5.1"}
    assert "patient_broken:Any can't be used" in listed.stderr
    candles = tmp_path / "SPY.csv"
    lines = [f"2024-01-08T15:{minute:02}:00Z,9,9,9,9,40" for minute in range(40)]
    candles.write_text("\n".join(["timestamp,open,high,low,close,volume", *lines]) + "\n")
    done = _tradectl(
        installed, "backtesting", "--strategy", "patient", "--candles", str(candles),
        "--param", "every=10", "--no-record", "--json",
    )  # fmt: skip
    summary = json.loads(done.stdout)
    assert (summary["settings"]["strategy"], summary["orders"]) == ("patient", 4)


def _tradectl(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=Path(__file__).parents[3],
    )
