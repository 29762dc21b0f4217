"""A study in a file: one line of JSON for its settings, and one for each finished trial."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.optimisation.study import VERSION
from strategy_workers.optimisation.trial import Trial

SUFFIX = ".jsonl"


class Journal:
    """Held by one process at a time. A line that a crash cut short is cut off."""

    def __init__(self, file: IO[bytes], results: dict[int, Trial]) -> None:
        self._file = file
        self._results = results
        self._claimed: set[int] = set()

    @classmethod
    def open(cls, path: Path, settings: dict[str, Any], *, resume: bool) -> Journal:
        """Raises BadBacktestError and OSError; a study that is refused leaves no file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not resume:
            raise BadBacktestError(
                f"there is a study {path.stem} already: --resume goes on with it"
            )
        if not path.exists() and resume:
            raise BadBacktestError(f"there is no study {path.stem} to resume")
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadBacktestError(f"another process is at work on {path.stem}") from None
        try:
            file.seek(0)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            if not whole:
                file.truncate(0)
                _append(file, settings)
                return cls(file, {})
            known, results = _parsed(whole, path)
            check_same(known, settings)
            file.truncate(len(whole))
        except BaseException:
            file.close()
            raise
        return cls(file, results)

    def results(self) -> Mapping[int, Trial]:
        return self._results

    def claim(self, number: int) -> bool:
        if number in self._claimed or number in self._results:
            return False
        self._claimed.add(number)
        return True

    def keep_claims(self) -> None:
        return  # nobody else can take them

    def finish(self, trial: Trial) -> None:
        _append(self._file, trial.as_json())
        self._results[trial.number] = trial

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> tuple[dict[str, Any], dict[int, Trial]]:
    """Settings and finished trials. Raises BadBacktestError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadBacktestError(f"can't read {path}: {error.strerror}") from error
    return _parsed(text[: text.rfind(b"\n") + 1], path)


def check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BadBacktestError(f"a study's name is 1 to 64 letters, digits and . _ -, not {name}")
    return name


def check_same(known: dict[str, Any], settings: dict[str, Any]) -> None:
    """Trials of other data, code or settings don't go together. Raises BadBacktestError."""
    asked = json.loads(json.dumps(settings))
    differing = sorted(name for name in {*known, *asked} if known.get(name) != asked.get(name))
    if "run" in differing:
        ours, theirs = known.get("run") or {}, asked["run"]
        differing.remove("run")
        differing += sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if differing:
        raise BadBacktestError(f"the study was begun with other {', '.join(differing)}")


def _append(file: IO[bytes], body: dict[str, Any]) -> None:
    file.write(json.dumps(body).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _parsed(text: bytes, path: Path) -> tuple[dict[str, Any], dict[int, Trial]]:
    try:
        settings, *rows = (json.loads(line) for line in text.splitlines())
        if settings["version"] != VERSION:
            raise BadBacktestError(
                f"{path.name} is of version {settings['version']},"
                f" and this platform reads {VERSION}"
            )
        trials = [Trial.from_json(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise BadBacktestError(f"{path.name} is not a study") from error
    return settings, {trial.number: trial for trial in trials}
