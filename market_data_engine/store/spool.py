"""Completed candles on disk, until the store has them: a queue that survives the process.

A spool is a folder, one for each time that an engine carries the market, with a lock file and
numbered segments of lines: one a candle, each the JSON of a `StoredCandle`. Candles are appended
to the last segment and taken from the first; a segment is removed when the store has all of it. So
what a killed process leaves may have been stored in part: storing it again, in its order, changes
nothing.

A line is whole or, when the process or the disk gave out under it, the last one and without its
end: its candle was never said to be kept. Lines are handed to the operating system, not forced
to the disk: they survive the process at any moment, a loss of power but for the last seconds.
"""

import fcntl
import itertools
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

import msgspec
import structlog

from market_data_engine.store.stored import StoredCandle

log = structlog.get_logger()

_SEGMENT_BYTES = 4 << 20
_LOCK = "lock"
_SUFFIX = ".jsonl"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(StoredCandle)


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest entries of a spool. `lines` counts the unreadable ones, too."""

    entries: list[StoredCandle]
    lines: int
    bytes: int


class Spool:
    """One thread may append while another one reads."""

    def __init__(self, folder: Path, lock: int, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self.folder = folder
        self._lock = lock
        self._segment_bytes = segment_bytes
        #: Oldest first; the last one is the one that grows.
        self._segments = sorted(folder.glob(f"*{_SUFFIX}"))
        first = int(self._segments[-1].stem) + 1 if self._segments else 0
        self._numbers = itertools.count(first)
        self._file: int | None = None
        self._length = 0
        #: How much of the first segment is stored.
        self._stored_bytes = 0

    @classmethod
    def create(cls, parent: Path, segment_bytes: int = _SEGMENT_BYTES) -> Self:
        """A new one, newer than all that are there. Nobody else can take it before we do."""
        parent.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{uuid4().hex[:8]}"
        hidden = parent / f".{name}"
        hidden.mkdir()
        (hidden / _LOCK).touch(mode=0o600)
        lock = _locked(hidden)
        assert lock is not None, "somebody else has locked a folder that we have just made"
        return cls(hidden.rename(parent / name), lock, segment_bytes)

    @classmethod
    def left_behind(cls, parent: Path) -> list[Self]:
        """Those of processes that are gone, the oldest first; they are ours until closed."""
        folders = sorted(parent.glob("[0-9]*"))
        locks = ((folder, _locked(folder)) for folder in folders)
        return [cls(folder, lock) for folder, lock in locks if lock is not None]

    def append(self, entries: Sequence[StoredCandle]) -> None:
        """All of them, or OSError and none."""
        lines = b"".join(_encoder.encode(entry) + b"\n" for entry in entries)
        file = self._growing()
        try:
            _write_all(file, lines)
        except OSError:
            os.ftruncate(file, self._length)
            raise
        self._length += len(lines)

    def head(self, limit: int) -> Batch:
        """At most `limit` of the oldest; the same ones until they are removed."""
        while self._segments:
            # Asked before reading: only the last one grows, so others end where they end.
            growing = len(self._segments) == 1
            with self._segments[0].open("rb") as file:
                file.seek(self._stored_bytes)
                lines = [line for line in itertools.islice(file, limit) if line.endswith(b"\n")]
            if lines or growing:
                return Batch(list(self._decoded(lines)), len(lines), sum(map(len, lines)))
            self._remove_first()
        return Batch([], 0, 0)

    def remove(self, batch: Batch) -> None:
        """The store has what `head` gave."""
        self._stored_bytes += batch.bytes

    def count(self) -> int:
        """Lines that are there; reads all of them."""
        total = 0
        for segment in self._segments:
            with segment.open("rb") as file:
                total += sum(line.endswith(b"\n") for line in file)
        return total

    def clear(self) -> None:
        """The store has all of it. Not while another thread reads."""
        while len(self._segments) > (self._file is not None):
            self._remove_first()
        if self._file is not None:
            os.ftruncate(self._file, 0)
            self._length = self._stored_bytes = 0

    def close(self, *, stored: bool) -> None:
        """What isn't stored stays for who comes next; else the folder goes."""
        if stored:
            self.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if stored:
            shutil.rmtree(self.folder)
        os.close(self._lock)

    # --- segments --------------------------------------------------------------------------------

    def _growing(self) -> int:
        if self._file is not None and self._length >= self._segment_bytes:
            os.close(self._file)
            self._file = None
        if self._file is None:
            path = self.folder / f"{next(self._numbers):012d}{_SUFFIX}"
            self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            self._length = 0
            self._segments.append(path)
        return self._file

    def _remove_first(self) -> None:
        self._segments.pop(0).unlink()
        self._stored_bytes = 0

    def _decoded(self, lines: Sequence[bytes]) -> Iterator[StoredCandle]:
        for line in lines:
            try:
                yield _decoder.decode(line)
            except msgspec.MsgspecError as error:
                log.error("kept_candle_unreadable", folder=str(self.folder), error=str(error))


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _locked(folder: Path) -> int | None:
    """The lock's file descriptor; None when somebody has it, or has just removed the folder."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
