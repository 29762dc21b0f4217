"""Candles of days that are unlike others, by the exchanges' own calendars."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.calendars import Calendars
from shared.candles.builder import CandleBuilder
from shared.models.identifiers import Symbol
from shared.models.market import Candle

SECOND_NS = 1_000_000_000
ZONES = {"XNYS": ZoneInfo("America/New_York"), "XNSE": ZoneInfo("Asia/Kolkata")}


def ns(exchange: str, text: str) -> int:
    """Of a time at the exchange."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONES[exchange]).timestamp()) * SECOND_NS


@pytest.fixture(scope="module")
def calendars(calendar_folder: Path) -> Calendars:
    return Calendars(calendar_folder)


def candles(calendars: Calendars, exchange: str, until: str, *prints: str) -> list[Candle]:
    """All that completes until then."""
    builder = CandleBuilder(Symbol("ABC"), calendars.of(exchange))
    times = [ns(exchange, at) for at in prints]
    completed = builder.add_trades(times, [100.0] * len(times), [1.0] * len(times))
    return completed + builder.advance(ns(exchange, until))


def spans(exchange: str, found: list[Candle], timeframe: str) -> list[tuple[str, str]]:
    """Hours and minutes at the exchange."""
    return [
        tuple(  # type: ignore[misc]
            f"{datetime.fromtimestamp(at_ns // SECOND_NS, ZONES[exchange]):%H:%M}"
            for at_ns in (one.start_ns, one.end_ns)
        )
        for one in found
        if one.timeframe == timeframe
    ]


@pytest.mark.parametrize("friday", ["2024-03-08", "2024-11-01"])
def test_when_new_york_changes_its_clocks_candles_stay_at_their_hours_there(
    calendars: Calendars, friday: str
) -> None:
    monday = {"2024-03-08": "2024-03-11", "2024-11-01": "2024-11-04"}[friday]
    found = candles(calendars, "XNYS", f"{monday}T23:00", f"{friday}T09:30", f"{monday}T09:30")
    assert spans("XNYS", found, "1h") == [("09:00", "10:00")] * 2
    assert spans("XNYS", found, "4h") == [("08:00", "12:00")] * 2
    assert spans("XNYS", found, "1d") == [("04:00", "20:00")] * 2
    first, second = (one for one in found if one.timeframe == "1h")
    hours = (second.start_ns - first.start_ns) / 3600 / SECOND_NS
    assert hours == (71 if friday == "2024-03-08" else 73)


def test_the_half_day_after_thanksgiving_ends_at_five_with_its_last_hours_cut(
    calendars: Calendars,
) -> None:
    day = "2024-11-29"
    found = candles(
        calendars, "XNYS", "2024-12-02T03:00", f"{day}T12:59", f"{day}T16:59", f"{day}T17:00:05"
    )
    assert spans("XNYS", found, "4h") == [
        ("12:00", "16:00"),
        ("16:00", "17:00"),
        ("17:00", "21:00"),  # a print after the close is no part of the day
    ]
    day_candle, after = (one for one in found if one.timeframe == "1d")
    assert (day_candle.trades, after.trades) == (2, 1)
    assert day_candle.end_ns == ns("XNYS", f"{day}T17:00")


def test_a_day_of_the_nse_has_hours_from_a_quarter_past_to_a_quarter_past(
    calendars: Calendars,
) -> None:
    day = "2024-06-03"
    found = candles(calendars, "XNSE", f"{day}T16:00", f"{day}T09:15", f"{day}T15:29:59")
    assert spans("XNSE", found, "1m") == [("09:15", "09:16"), ("15:29", "15:30")]
    assert spans("XNSE", found, "1h") == [("09:15", "10:15"), ("15:15", "15:30")]
    assert spans("XNSE", found, "4h") == [("09:15", "13:15"), ("13:15", "15:30")]
    assert spans("XNSE", found, "1d") == [("09:15", "15:30")]
    assert [one.trades for one in found if one.timeframe == "1d"] == [2]
