"""Log files of an instance: kept within a bound, and read from the end."""

import json
import os
import re
import shutil
from collections import deque
from pathlib import Path
from typing import Any

#: A log that has grown beyond this is moved to `<name>.log.1`, over the one before it.
MAX_LOG_BYTES = 20 << 20
#: What Python puts before the message of an exception of ours.
_EXCEPTION_NAME = re.compile(r"^\w+(\.\w+)+: ")


def bound_logs(folder: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Their writers keep them open for appending, so a log is copied, then emptied in place.

    A line written between the two steps is lost; that costs less than a pipe through us.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def last_lines(log: Path, count: int) -> list[str]:
    """The newest `count` lines, oldest first; none when there is no such file."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]


def last_line(log: Path) -> str:
    """The newest line that says something."""
    return next(
        (line.strip() for line in reversed(last_lines(log, 20)) if line.strip()), "its log is empty"
    )


def last_complaint(log: Path) -> str:
    """Why a process ended, as far as its log tells: the newest error, or else the last line.

    An error is a JSON line of that level, or the line that ends a traceback.
    """
    for line in reversed(last_lines(log, 50)):
        entry = _json_object(line)
        if entry is None:
            if line.strip():
                return _EXCEPTION_NAME.sub("", line.strip())
        elif entry.get("level") in ("error", "critical"):
            return str(entry.get("event"))
    return last_line(log)


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
