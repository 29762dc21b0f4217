"""What is missing, by the exchange's calendar. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from market_data_engine.feeds.presence import Span
from market_data_engine.store.stored import StoredCandle
from shared.candles.calendar import Session, SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import MINUTE_NS


def minutes(calendar: SessionCalendar, from_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
    """(open of its session, start) of each minute of the sessions that lies in the range whole.

    What is outside of the calendar has no minutes.
    """
    for session in sessions(calendar, from_ns, until_ns):
        first_ns = max(session.open_ns, -(-from_ns // MINUTE_NS) * MINUTE_NS)
        for start_ns in range(first_ns, session.close_ns, MINUTE_NS):
            if start_ns + MINUTE_NS > until_ns:
                return
            yield session.open_ns, start_ns


def sessions(calendar: SessionCalendar, from_ns: int, until_ns: int) -> Iterator[Session]:
    """Those that share time with the range."""
    at_ns = from_ns
    while at_ns < until_ns:
        try:
            session = calendar.next_session(at_ns)
        except OutsideCalendarError:
            return
        if session.open_ns >= until_ns:
            return
        yield session
        at_ns = session.next_open_ns


def sound_starts(stored: Iterable[StoredCandle], there: Sequence[Span]) -> set[int]:
    """Starts of the one-minute candles that need no healing.

    `there`: when the live feed was. What it made of other minutes may lack prints, also where
    that was noticed only after the candle was complete.
    """
    return {
        one.candle.start_ns
        for one in stored
        if one.quality != "partial" and (one.source != "live" or within(one.candle.start_ns, there))
    }


def within(start_ns: int, spans: Sequence[Span]) -> bool:
    """Whether the minute lies in one of them whole."""
    return any(span.from_ns <= start_ns and start_ns + MINUTE_NS <= span.until_ns for span in spans)


def gaps(
    calendar: SessionCalendar,
    from_ns: int,
    until_ns: int,
    sound: set[int],
    known: Sequence[Span],
) -> list[Span]:
    """Ranges to ask for: one a session, from its first to its last missing minute.

    `known`: nothing is missing there. A live feed was there and told of no trade, or a provider
    was asked.
    """
    missing = (
        minute
        for minute in minutes(calendar, from_ns, until_ns)
        if minute[1] not in sound and not within(minute[1], known)
    )
    found = []
    for _, group in groupby(missing, key=lambda minute: minute[0]):
        starts = [start_ns for _, start_ns in group]
        found.append(Span(starts[0], starts[-1] + MINUTE_NS))
    return found
