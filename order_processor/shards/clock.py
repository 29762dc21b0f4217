"""Time in the order path: market time in a paced run, the wall clock's otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WallClock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


def moment(ns: int) -> datetime:
    """To the microsecond, the database's precision; exact where a float would not be."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
