"""Session calendars by exchange, kept on disk so that a warm process doesn't build them again.

Processes that share a folder may build the same calendar at once: each keeps it whole, and the
last one stays.
"""

import contextlib
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

from shared.calendars.build import SessionTable
from shared.calendars.currencies import currency_sessions
from shared.calendars.errors import UnknownExchangeError
from shared.candles.calendar import SessionCalendar

log = structlog.get_logger()

#: The exchange of markets that never close. It needs no table.
ALWAYS_OPEN = "24/7"
#: The exchange of currencies. It needs no table either. Its candles are made of quotes.
CURRENCIES = "FX"
#: A Monday: weeks must be whole.
FIRST_DATE = date(1997, 12, 29)
#: Of the tables on disk. Raise it with `SessionTable`: older files are not read then.
_LAYOUT = "v2"
_BUILD_TIMEOUT_S = 60.0
_UNKNOWN = 3


def default_folder() -> Path:
    """Where they are kept when no setting says so: below the system's temporary folder."""
    return Path(tempfile.gettempdir()) / f"trading-calendars-{os.geteuid()}"


def last_date(today: date) -> date:
    """The Sunday that ends the last week of next year."""
    end = date(today.year + 1, 12, 31)
    return end + timedelta(days=6 - end.weekday())


class Calendars:
    """Blocking: call it from a thread. Safe to share between threads."""

    def __init__(self, folder: Path | None) -> None:
        """None for the default folder."""
        self._folder = folder or default_folder()
        #: Exchange → its calendar, and the date that it was to reach.
        self._known: dict[str, tuple[SessionCalendar, date]] = {}
        self._lock = threading.Lock()

    def of(self, exchange: str) -> SessionCalendar:
        """Raises UnknownExchangeError. Takes about two seconds the first time ever, else little."""
        last = last_date(datetime.now(UTC).date())
        with self._lock:
            known = self._known.get(exchange)
            if known is None or known[1] != last:
                known = self._known[exchange] = (self._load(exchange, last), last)
            return known[0]

    def _load(self, exchange: str, last: date) -> SessionCalendar:
        if exchange == ALWAYS_OPEN:
            return SessionCalendar.continuous()
        if exchange == CURRENCIES:
            return currency_sessions(FIRST_DATE, last)
        if not exchange.isalnum():  # it becomes a file name
            raise UnknownExchangeError(exchange)
        path = self._folder / (
            f"{exchange}-{_LAYOUT}-{version('exchange_calendars')}-{FIRST_DATE}-{last}.json"
        )
        calendar = _read(path)
        if calendar is None:
            table = _build_elsewhere(exchange, last)
            calendar = table.calendar()
            _keep(path, table)
        return calendar


def _read(path: Path) -> SessionCalendar | None:
    """None when there is no such file, or one that says something else than sessions."""
    try:
        with path.open("rb") as file:
            # Below /tmp anybody may have made the folder first.
            if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                raise PermissionError("it belongs to somebody else")
            table = msgspec.json.decode(file.read(), type=SessionTable)
        return table.calendar()
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
            "shared.calendars.build",
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
            try:
                file.write(msgspec.json.encode(table))
                file.flush()
                os.replace(file.name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        log.warning("calendar_not_kept", path=str(path), error=repr(error))
