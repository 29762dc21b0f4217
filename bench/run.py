"""Running an entry: fresh processes, contenders by turns, and proof that all did the same work."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.entry import Contender, Entry
from bench.measuring import MARKER

_ROOT = Path(__file__).parent.parent


class BenchError(Exception):
    """A contender failed, or did other work than the rest: there is nothing to compare."""


@dataclass(frozen=True)
class Measured:
    """One contender at one size, over all its runs."""

    contender: str
    size: int
    runs: int
    #: Units a second of wall clock.
    rate: float
    rate_min: float
    rate_max: float
    #: Processor time for a unit, of all threads together.
    #: Never zero, so that there is a ratio.
    cpu_us: float
    peak_memory_mb: float
    checks: dict[str, int | float | str]
    figures: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    entry: Entry
    measured: tuple[Measured, ...]

    def ratio(self, other: Measured) -> float:
        """How many times as fast as this one ours is, at the same size, by the clock."""
        return self._ours_at(other.size).rate / other.rate

    def ratio_per_core(self, other: Measured) -> float:
        """The same by processor time, which other work on the machine disturbs less."""
        return other.cpu_us / self._ours_at(other.size).cpu_us

    def _ours_at(self, size: int) -> Measured:
        ours = self.entry.contenders[0].name
        return next(one for one in self.measured if (one.contender, one.size) == (ours, size))

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.entry.title,
            "unit": self.entry.unit,
            "target": self.entry.target,
            "measured": [
                {
                    **asdict(one),
                    "ours_is_times": self.ratio(one),
                    "ours_is_times_per_core": self.ratio_per_core(one),
                }
                for one in self.measured
            ],
        }


def run_entry(
    entry: Entry, sizes: Sequence[int], repeats: int, progress: Callable[[str], None]
) -> Outcome:
    for peer in {contender.peer for contender in entry.contenders if contender.peer}:
        progress(f"{entry.name}: installing {peer.name}")
        try:
            peer.install()
        except RuntimeError as error:
            raise BenchError(str(error)) from error
    measured = []
    for size in sizes:
        results: dict[str, list[dict[str, Any]]] = {c.name: [] for c in entry.contenders}
        for number in range(repeats):
            # By turns, so that a slow spell of the machine hits all; and not always in one order.
            for contender in entry.contenders[:: -1 if number % 2 else 1]:
                progress(f"{entry.name} {size:,}: run {number + 1} of {repeats}, {contender.name}")
                results[contender.name].append(_run(contender, size, entry.timeout_s))
        of_size = [_summed_up(name, size, runs) for name, runs in results.items()]
        _refuse_different_work(of_size)
        measured += of_size
    return Outcome(entry, tuple(measured))


def _run(contender: Contender, size: int, timeout_s: float) -> dict[str, Any]:
    python = str(contender.peer.python) if contender.peer else sys.executable
    command = [python, "-W", "ignore", "-m", contender.module, str(size), *contender.arguments]
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{contender.name} took more than {timeout_s:.0f} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARKER)]
    if done.returncode or len(lines) != 1:
        raise BenchError(
            f"{contender.name} exited with {done.returncode} and {len(lines)} results\n"
            f"{done.stderr[-3000:]}"
        )
    result: dict[str, Any] = json.loads(lines[0].removeprefix(MARKER))
    return result


def _summed_up(name: str, size: int, runs: list[dict[str, Any]]) -> Measured:
    rates = [run["units"] / run["wall_s"] for run in runs]
    for run in runs:
        if run["checks"] != runs[0]["checks"]:
            raise BenchError(f"{name} did other work each time: {run} and {runs[0]}")
    return Measured(
        contender=name,
        size=size,
        runs=len(runs),
        rate=median(rates),
        rate_min=min(rates),
        rate_max=max(rates),
        cpu_us=max(median(run["cpu_s"] / run["units"] * 1e6 for run in runs), 1e-9),
        peak_memory_mb=median(run["peak_memory_mb"] for run in runs),
        checks=runs[0]["checks"],
        figures={
            figure: median(run["figures"][figure] for run in runs) for figure in runs[0]["figures"]
        },
    )


def _refuse_different_work(measured: Sequence[Measured]) -> None:
    stated: dict[str, tuple[str, int | float | str]] = {}
    for one in measured:
        for check, value in one.checks.items():
            who, first = stated.setdefault(check, (one.contender, value))
            if first != value:
                raise BenchError(
                    f"{check} is {first} for {who} but {value} for {one.contender}:"
                    " they did different work"
                )
