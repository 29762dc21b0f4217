"""Hours that are remembered are those that the calendar says."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from order_processor.shards.clock import nanoseconds
from order_processor.shards.sessions import Sessions
from shared.calendars import Calendars
from shared.trading.hours import hours_from

NEW_YORK = "2024-07-02T00:00-04:00"


@pytest.mark.parametrize("exchange", ["XNYS", "24/7"])
def test_hours_asked_for_again_and_again_change_when_the_calendar_says(
    exchange: str, calendar_folder: Path
) -> None:
    """A week with a half day and a holiday, forwards, then backwards."""
    calendars = Calendars(calendar_folder)
    sessions = Sessions(calendars)
    try:
        asyncio.run(sessions.prepare(exchange))
        calendar = calendars.of(exchange)
        assert calendar is not None
        begin = datetime.fromisoformat(NEW_YORK)
        steps = [nanoseconds(begin + timedelta(minutes=10 * step)) for step in range(7 * 144)]
        moments = [each + off for each in steps for off in (-1000, 0, 1000)]
        seen = {sessions.hours(exchange, at_ns) for at_ns in moments}
        for at_ns in (*moments, *reversed(moments)):
            assert sessions.hours(exchange, at_ns) == hours_from(calendar, at_ns)
        assert len(seen) > 5
    finally:
        sessions.close()
