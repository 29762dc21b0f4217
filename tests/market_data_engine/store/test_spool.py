"""Candles on disk: whole, in order, and there again after the process is gone."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from market_data_engine.store.spool import Spool
from market_data_engine.store.stored import StoredCandle
from tests.market_data_engine.store.test_contract import candle, stored


def entries(first: int, count: int) -> list[StoredCandle]:
    return stored(candle(minute) for minute in range(first, first + count))


def drained(spool: Spool, limit: int = 7) -> list[StoredCandle]:
    found: list[StoredCandle] = []
    while (batch := spool.head(limit)).lines:
        found += batch.entries
        spool.remove(batch)
    return found


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool.create(tmp_path, segment_bytes=2000)
    yield spool
    spool.close(stored=True)


def test_candles_come_out_in_the_order_that_they_went_in(spool: Spool) -> None:
    for first in range(0, 100, 10):
        spool.append(entries(first, 10))
    assert spool.count() == 100
    assert drained(spool) == entries(0, 100)


def test_what_is_not_removed_comes_again(spool: Spool) -> None:
    spool.append(entries(0, 10))
    assert spool.head(5) == spool.head(5)
    spool.remove(spool.head(5))
    assert drained(spool) == entries(5, 5)


def test_appending_goes_on_while_the_head_is_read(spool: Spool) -> None:
    found: list[StoredCandle] = []
    for first in range(0, 200, 4):
        spool.append(entries(first, 4))
        batch = spool.head(3)
        found += batch.entries
        spool.remove(batch)
    assert found + drained(spool) == entries(0, 200)


def test_segments_that_are_stored_are_removed_from_the_disk(spool: Spool, tmp_path: Path) -> None:
    for first in range(0, 200, 10):
        spool.append(entries(first, 10))
    assert len(list(tmp_path.rglob("*.jsonl"))) >= 10
    drained(spool)
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1
    spool.clear()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) == 0
    spool.append(entries(0, 3))
    assert drained(spool) == entries(0, 3)


def test_a_living_process_keeps_its_spool_to_itself(spool: Spool, tmp_path: Path) -> None:
    spool.append(entries(0, 3))
    assert Spool.left_behind(tmp_path) == []


def test_what_a_process_left_is_found_oldest_first(tmp_path: Path) -> None:
    for first in (0, 10, 20):
        gone = Spool.create(tmp_path)
        gone.append(entries(first, 10))
        gone.close(stored=False)
    left = Spool.left_behind(tmp_path)
    assert [entry for spool in left for entry in drained(spool)] == entries(0, 30)
    for spool in left:
        spool.close(stored=True)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    gone = Spool.create(tmp_path)
    gone.append(entries(0, 3))
    (segment,) = gone.folder.glob("*.jsonl")
    os.truncate(segment, segment.stat().st_size - 5)
    gone.close(stored=False)
    (left,) = Spool.left_behind(tmp_path)
    assert left.count() == 2
    assert drained(left) == entries(0, 2)
    left.close(stored=True)


def test_a_line_that_nobody_can_read_costs_no_other(tmp_path: Path) -> None:
    gone = Spool.create(tmp_path)
    gone.append(entries(0, 3))
    (segment,) = gone.folder.glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(lines[0] + b'["replay", nonsense\n' + lines[2])
    gone.close(stored=False)
    (left,) = Spool.left_behind(tmp_path)
    batch = left.head(10)
    assert (batch.lines, batch.entries) == (3, [entries(0, 1)[0], entries(2, 1)[0]])
    left.close(stored=True)


def test_a_full_disk_takes_all_or_nothing(spool: Spool) -> None:
    """A limit on the length of files stands in for the disk's end: write then fails likewise."""
    spool.append(entries(0, 3))
    (segment,) = spool.folder.glob("*.jsonl")
    before = segment.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append(entries(3, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment.stat().st_size == before
    spool.append(entries(3, 3))
    assert drained(spool) == entries(0, 6)
