"""The same seeded market for all: written once as plain columns, read by every contender."""

from __future__ import annotations

import os
import random
import shutil
from array import array
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import exp
from pathlib import Path

_FOLDER = Path(__file__).parent / ".peers" / "data"
_SEED = 20240102
#: Of all symbols together. More prints take more time, at the same density: 2,000,000 fill
#: a session of six and a half hours.
_MEAN_STEP_NS = 11_700_000
SYMBOLS = 50


@dataclass(frozen=True)
class Prints:
    """Trades of `SYMBOLS` symbols, in time order."""

    symbol_index: array[int]
    at_ns: array[int]
    price: array[float]
    size: array[float]


def prints(count: int) -> Prints:
    """The first time makes the files; after that they are read."""
    folder = _FOLDER / f"prints-{count}"
    if not folder.exists():
        _write(folder, _made(count))
    read = Prints(array("i"), array("q"), array("d"), array("d"))
    for field in fields(Prints):
        with (folder / field.name).open("rb") as file:
            getattr(read, field.name).fromfile(file, count)
    return read


def _made(count: int) -> Prints:
    numbers = random.Random(_SEED)
    opens_ns = int(datetime(2024, 1, 2, 14, 30, tzinfo=UTC).timestamp()) * 1_000_000_000
    at_ns = sorted(opens_ns + numbers.randrange(count * _MEAN_STEP_NS) for _ in range(count))
    last = [50.0 + number for number in range(SYMBOLS)]
    symbol_index, price = array("i"), array("d")
    for _ in range(count):
        number = numbers.randrange(SYMBOLS)
        last[number] *= exp(numbers.gauss(0, 2e-4))
        symbol_index.append(number)
        price.append(round(last[number], 2))
    sizes = array("d", (float(numbers.randrange(1, 500)) for _ in range(count)))
    return Prints(symbol_index, array("q", at_ns), price, sizes)


def _write(folder: Path, made: Prints) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    for field in fields(Prints):
        with (unfinished / field.name).open("wb") as file:
            getattr(made, field.name).tofile(file)
    try:
        unfinished.rename(folder)
    except OSError:
        # Another process was first. What it wrote is the same.
        shutil.rmtree(unfinished)
        if not folder.exists():
            raise
