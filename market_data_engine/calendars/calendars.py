"""Session calendars by exchange, kept on disk so that a warm process doesn't build them again."""

import os
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import msgspec
import structlog

from market_data_engine.calendars.build import SessionTable
from market_data_engine.errors import UnknownExchangeError
from shared.candles.calendar import SessionCalendar

log = structlog.get_logger()

#: The exchange of markets that never close. It needs no table.
ALWAYS_OPEN = "24/7"
#: A Monday: weeks must be whole.
FIRST_DATE = date(1997, 12, 29)
_BUILD_TIMEOUT_S = 60.0
_UNKNOWN = 3


def last_date(today: date) -> date:
    """The Sunday that ends the last week of next year."""
    end = date(today.year + 1, 12, 31)
    return end + timedelta(days=6 - end.weekday())


class Calendars:
    """Blocking: call it from a thread. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, SessionCalendar] = {}
        self._lock = threading.Lock()

    def of(self, exchange: str) -> SessionCalendar:
        """Raises UnknownExchangeError. Takes about two seconds the first time ever, else little."""
        with self._lock:
            if exchange not in self._known:
                self._known[exchange] = self._load(exchange)
            return self._known[exchange]

    def _load(self, exchange: str) -> SessionCalendar:
        if exchange == ALWAYS_OPEN:
            return SessionCalendar.continuous()
        last = last_date(datetime.now(UTC).date())
        path = self._folder / (
            f"{exchange}-{version('exchange_calendars')}-{FIRST_DATE}-{last}.json"
        )
        if not exchange.isalnum():  # it becomes a file name
            raise UnknownExchangeError(exchange)
        calendar = _read(path)
        if calendar is None:
            table = _build_elsewhere(exchange, last)
            calendar = SessionCalendar(table.opens_ns, table.closes_ns, table.dates)
            _keep(path, table)
        return calendar


def _read(path: Path) -> SessionCalendar | None:
    """None when there is no such file, or one that says something else than sessions."""
    try:
        table = msgspec.json.decode(path.read_bytes(), type=SessionTable)
        return SessionCalendar(table.opens_ns, table.closes_ns, table.dates)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, ValueError) as error:
        log.warning("calendar_cache_unusable", path=str(path), error=repr(error))
        return None


def _build_elsewhere(exchange: str, last: date) -> SessionTable:
    done = subprocess.run(  # noqa: S603 - our own module; the exchange is an argument, no shell
        [
            sys.executable,
            "-m",
            "market_data_engine.calendars.build",
            exchange,
            FIRST_DATE.isoformat(),
            last.isoformat(),
        ],
        capture_output=True,
        timeout=_BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode == _UNKNOWN:
        raise UnknownExchangeError(exchange)
    if done.returncode != 0:
        raise RuntimeError(f"calendar of {exchange}: {done.stderr.decode(errors='replace')[-500:]}")
    return msgspec.json.decode(done.stdout, type=SessionTable)


def _keep(path: Path, table: SessionTable) -> None:
    """Whole or not at all. A folder that can't be written costs time at the next start, no more."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(msgspec.json.encode(table))
        os.replace(file.name, path)
    except OSError as error:
        log.warning("calendar_not_kept", path=str(path), error=repr(error))
