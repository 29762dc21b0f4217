"""The folder of records: one file each, written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.records.record import Record, decoded, encoded

_SUFFIX = ".json"


class RecordStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, record: Record) -> Path:
        """Keep it. One that is there already stays as it is. Raises OSError."""
        path = self.folder / f"{record.id}{_SUFFIX}"
        if not path.exists():
            write_whole(path, encoded(record))
        return path

    def all(self) -> Iterator[Record]:
        """Oldest first. Raises DamagedRecordError, OSError."""
        if not self.folder.is_dir():
            return
        records = [self._read(path) for path in self.folder.glob(f"*{_SUFFIX}")]
        yield from sorted(records, key=lambda record: (record.recorded_at, record.id))

    def find(self, name: str) -> Record:
        """By id or the beginning of one; `last` is the newest. Raises BadBacktestError."""
        if name == "last":
            newest = list(self.all())
            if not newest:
                raise BadBacktestError(f"there is no backtest in {self.folder}")
            return newest[-1]
        if not name.isalnum():
            raise BadBacktestError(f"{name} is not the id of a backtest")
        paths = sorted(self.folder.glob(f"{name}*{_SUFFIX}"))
        if not paths:
            raise BadBacktestError(f"there is no backtest {name} in {self.folder}")
        if len(paths) > 1:
            raise BadBacktestError(f"{len(paths)} backtests begin with {name}: give more of the id")
        return self._read(paths[0])

    def _read(self, path: Path) -> Record:
        return decoded(path.read_text(encoding="utf-8"), path.name)


def write_whole(path: Path, text: str) -> None:
    """Makes the folder; raises OSError and leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".", delete=False, encoding="utf-8"
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
