"""When a symbol has lost its live feed, and when it has it again."""

from datetime import UTC, date, datetime

import pytest

from market_data_engine.feeds.following import FeedState, FeedStatus
from market_data_engine.live.silence import Silence, Silent
from shared.candles.calendar import SessionCalendar

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
#: Midnight of a day whose session is from 9 to 21, with regular hours from 14 to 20.
DAY_NS = 1_767_571_200 * SECOND_NS
CALENDAR = SessionCalendar(
    [DAY_NS + 9 * HOUR_NS, DAY_NS + 33 * HOUR_NS],
    [DAY_NS + 21 * HOUR_NS, DAY_NS + 45 * HOUR_NS],
    [date(2026, 1, 5), date(2026, 1, 6)],
    [DAY_NS + 14 * HOUR_NS, DAY_NS + 38 * HOUR_NS],
    [DAY_NS + 20 * HOUR_NS, DAY_NS + 44 * HOUR_NS],
)


class Case:
    """The monotonic clock shows seconds of the day."""

    def __init__(self, state: FeedState = "live", began_s: float = 0.0) -> None:
        self.feed = FeedStatus("alpaca", ["AAPL", "MSFT"], state)
        symbols = dict.fromkeys(self.feed.symbols, CALENDAR)
        self.silence = Silence([self.feed], symbols, 120.0, began_s)

    def hear(self, at_s: float) -> None:
        self.feed.heard_s = at_s
        self.feed.state = "live"

    def silent(self, at_s: float) -> list[str]:
        return sorted(self.silence.look(at_s, DAY_NS + int(at_s * SECOND_NS)))


@pytest.mark.parametrize(
    ("state", "heard_h", "looked_h", "is_silent"),
    [
        ("live", 15, 15 + 119 / 3600, False),
        ("live", 15, 15 + 120 / 3600, True),
        # Before the opening silence is common; from the opening on it counts.
        ("live", 13, 13.9, False),
        ("live", 13, 14 + 119 / 3600, False),
        ("live", 13, 14 + 121 / 3600, True),
        ("live", 19, 20, False),
        # A connection that is lost counts in all hours of the session, but not at night.
        ("lost", 13, 13.9, True),
        ("refused", 13, 13.9, True),
        ("connecting", 20, 20.5, True),
        ("lost", 20, 21, False),
        ("lost", 8, 8.5, False),
        ("lost", 15, 23, False),
    ],
)
def test_a_feed_is_silent_when_nothing_came_for_long_while_something_should_have(
    state: FeedState, heard_h: float, looked_h: float, is_silent: bool
) -> None:
    case = Case(state)
    case.feed.heard_s = heard_h * 3600
    assert case.silent(looked_h * 3600) == (["AAPL", "MSFT"] if is_silent else [])
    assert case.feed.stale is is_silent


def test_a_feed_that_never_told_anything_is_silent_from_the_start_of_the_run() -> None:
    case = Case("connecting", began_s=15 * 3600)
    assert case.silent(15 * 3600 + 100) == []
    assert case.silent(15 * 3600 + 130) == ["AAPL", "MSFT"]
    [since] = {one.since for one in case.silence.look(60_000, DAY_NS).values()}
    assert since == datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def test_silence_lasts_until_something_comes_also_over_night() -> None:
    case = Case()
    case.hear(19.5 * 3600)
    assert case.silent(19.6 * 3600) == ["AAPL", "MSFT"]
    assert case.silent(20.5 * 3600) == ["AAPL", "MSFT"]
    assert case.silent(35 * 3600) == ["AAPL", "MSFT"]
    case.hear(36 * 3600)
    assert case.silent(36 * 3600 + 1) == []
    assert not case.feed.stale


def test_the_reason_says_since_when_and_what_is_known_of_why() -> None:
    case = Case("refused")
    case.feed.problem = "Alpaca says 402: auth failed."
    case.feed.heard_s = 15 * 3600
    told = case.silence.look(16 * 3600, DAY_NS + 16 * HOUR_NS)["AAPL"]
    assert told.reason == (
        "Nothing has come from alpaca since 2026-01-05 15:00:00 UTC. Alpaca says 402: auth failed."
    )


def test_what_was_silent_before_stays_so_for_the_next_engine_until_something_comes() -> None:
    case = Case(began_s=15 * 3600)
    before = Silent("alpaca", datetime(2026, 1, 5, 14, tzinfo=UTC), "Nothing has come.")
    case.silence.go_on({"AAPL": before, "GONE": before})
    assert case.silence.look(15 * 3600 + 1, DAY_NS + 15 * HOUR_NS) == {"AAPL": before}
    case.hear(15 * 3600 + 2)
    assert case.silent(15 * 3600 + 3) == []


def test_outside_of_the_calendar_nothing_is_expected() -> None:
    assert Case("lost").silent(300 * 3600) == []
