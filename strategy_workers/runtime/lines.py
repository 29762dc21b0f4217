"""What a strategy logs: into the service's own log, and in lines for its owner to read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

Level = Literal["debug", "info", "warning", "error"]

#: Lines that may wait for their snapshot; those after them are left out, and counted.
_LINES_WAITING = 200
_MESSAGE_CHARS = 8000
_FIELDS = 20
_FIELD_CHARS = 500


class Line(msgspec.Struct, frozen=True):
    level: Level
    message: str
    fields: dict[str, str]
    #: Market time; None before there is any.
    at: datetime | None


class Lines:
    """Those that no snapshot in the database holds yet."""

    def __init__(self) -> None:
        self.waiting: list[Line] = []
        self._left_out = 0

    def add(self, line: Line) -> None:
        if len(self.waiting) < _LINES_WAITING:
            self.waiting.append(line)
            return
        self._left_out += 1
        last = Line("warning", "lines_left_out", {"lines": str(self._left_out)}, line.at)
        if self._left_out == 1:
            self.waiting.append(last)
        else:
            self.waiting[-1] = last

    def stored(self) -> None:
        self.waiting = []
        self._left_out = 0


class StrategyLog:
    """The methods of a structured log that strategies have."""

    def __init__(
        self,
        service_log: Any,
        take: Callable[[Level, str, dict[str, str]], None],
        bound: dict[str, object] | None = None,
    ) -> None:
        self._service_log = service_log
        self._take = take
        self._bound = bound or {}

    def bind(self, **fields: object) -> "StrategyLog":
        """The same log with `fields` in all its lines."""
        return StrategyLog(self._service_log.bind(**fields), self._take, {**self._bound, **fields})

    def debug(self, message: str, **fields: object) -> None:
        self._service_log.debug(message, **fields)
        self._line("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._service_log.info(message, **fields)
        self._line("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._service_log.warning(message, **fields)
        self._line("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._service_log.error(message, **fields)
        self._line("error", message, fields)

    def _line(self, level: Level, message: str, fields: dict[str, object]) -> None:
        self._take(level, *fitting(message, self._bound | fields))


def fitting(message: object, fields: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """As much of them as a line holds."""
    shown = {
        storable(name): storable(str(value))[:_FIELD_CHARS]
        for name, value in list(fields.items())[:_FIELDS]
    }
    return storable(str(message))[:_MESSAGE_CHARS], shown


def storable(text: str) -> str:
    """Without what Postgres' text can't hold: NULs and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
