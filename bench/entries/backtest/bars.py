"""The same seeded bars for all: made once, kept as plain columns. Standard library only."""

from __future__ import annotations

import os
import random
import shutil
from array import array
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import exp, sqrt
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / ".peers" / "data"
_SEED = 20190102
_MINUTE_NS = 60_000_000_000
#: Of a fifth a year, a quarter of a minute at a time.
_STEP = 0.20 / sqrt(250 * 390) / 2

FAST, SLOW, SIZE, CASH = 10, 30, 10, 1_000_000
#: Averages that differ by less are equal, however each contender rounds its sums.
EPSILON = 1e-9


@dataclass(frozen=True)
class Bars:
    at_ns: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]


def bars(count: int) -> Bars:
    """One a minute, around the clock; `at_ns` is the start. The first time makes the files."""
    folder = _FOLDER / f"bars-{count}"
    if not folder.exists():
        _write(folder, _made(count))
    read = Bars(array("q"), *(array("d") for _ in range(5)))
    for field in fields(Bars):
        with (folder / field.name).open("rb") as file:
            getattr(read, field.name).fromfile(file, count)
    return read


def _made(count: int) -> Bars:
    numbers = random.Random(_SEED)
    begin_ns = int(datetime(2019, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000_000
    made = Bars(array("q"), *(array("d") for _ in range(5)))
    last = 100.0
    for number in range(count):
        path = []
        for _ in range(4):
            last *= exp(numbers.gauss(0, _STEP))
            path.append(round(last, 2))
        made.at_ns.append(begin_ns + number * _MINUTE_NS)
        made.open.append(path[0])
        made.high.append(max(path))
        made.low.append(min(path))
        made.close.append(path[-1])
        made.volume.append(float(numbers.randrange(100, 10_000)))
    return made


def _write(folder: Path, made: Bars) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    for field in fields(Bars):
        with (unfinished / field.name).open("wb") as file:
            getattr(made, field.name).tofile(file)
    try:
        unfinished.rename(folder)
    except OSError:
        # Another process was first. What it wrote is the same.
        shutil.rmtree(unfinished)
        if not folder.exists():
            raise
