"""What is said of stored candles: which are missing, and which are wrong."""

from datetime import date

import msgspec
import pytest

from cli.data.verification import Report, Verification, wrong_values
from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

HOUR_NS = 3_600_000_000_000
MINUTE_NS = HOUR_NS // 60
DAY_NS = 24 * HOUR_NS
#: Monday to Wednesday, six and a half hours each, Wednesday three.
OPENS_NS = [4 * DAY_NS + 14 * HOUR_NS + day * DAY_NS for day in range(3)]
CLOSES_NS = [
    opens + hours * HOUR_NS // 2 for opens, hours in zip(OPENS_NS, (13, 13, 6), strict=True)
]
CALENDAR = SessionCalendar(OPENS_NS, CLOSES_NS, [date(1970, 1, day) for day in (5, 6, 7)])


def candle(start_ns: int, timeframe: Timeframe = "1m", end_ns: int | None = None) -> Candle:
    end_ns = start_ns + MINUTE_NS if end_ns is None else end_ns
    return Candle(Symbol("A"), timeframe, start_ns, end_ns, 10.0, 12.0, 9.0, 11.0, 100.0, 10.5, 7)


def minutes(day: int, *which: int) -> list[Candle]:
    return [candle(OPENS_NS[day] + minute * MINUTE_NS) for minute in which]


def verified(candles: list[Candle], calendar: SessionCalendar = CALENDAR) -> Report:
    verification = Verification(Report("A", "1m"), calendar)
    for one in candles:  # in as many pieces as there are
        verification.add([one])
    return verification.report


def test_minutes_without_a_break_have_no_gap() -> None:
    report = verified(minutes(0, *range(390)) + minutes(1, *range(5)))
    assert (report.candles, report.gaps, report.missing, report.errors) == (395, 0, 0, 0)
    assert (report.first_ns, report.last_ns) == (OPENS_NS[0], OPENS_NS[1] + 4 * MINUTE_NS)


@pytest.mark.parametrize(
    ("candles", "gaps", "missing", "longest"),
    [
        (minutes(0, 0, 1, 3), 1, 1, 1),
        (minutes(0, 0, 2, 3, 7), 2, 4, 3),
        (minutes(0, 389) + minutes(1, 0), 0, 0, 0),
        (minutes(0, 388) + minutes(1, 2), 1, 3, 3),
        (minutes(0, 389) + minutes(2, 0), 1, 390, 390),
        ([*minutes(0, 389), candle(CLOSES_NS[0]), *minutes(1, 0)], 0, 0, 0),
    ],
    ids=["one", "two gaps", "overnight", "around the night", "a whole session", "after the close"],
)
def test_gaps_are_counted_within_sessions(
    candles: list[Candle], gaps: int, missing: int, longest: int
) -> None:
    report = verified(candles)
    assert (report.gaps, report.missing, report.longest_gap) == (gaps, missing, longest)
    assert report.errors == 0


def test_a_missing_day_is_one_candle_and_a_shorter_last_hour_is_whole() -> None:
    days = [candle(OPENS_NS[day], "1d", CLOSES_NS[day]) for day in (0, 2)]
    assert verified(days).missing == 1
    hours = [
        candle(OPENS_NS[0] + hour * HOUR_NS, "1h", min(OPENS_NS[0] + (hour + 1) * HOUR_NS, close))
        for close in [CLOSES_NS[0]]
        for hour in (0, 3, 6)
    ]
    report = verified(hours)
    assert (report.gaps, report.missing, report.errors) == (2, 4, 0)


@pytest.mark.parametrize(
    ("candles", "says"),
    [
        ([candle(OPENS_NS[0] + MINUTE_NS // 2)], "no such interval"),
        ([candle(OPENS_NS[0], end_ns=OPENS_NS[0] + 2 * MINUTE_NS)], "no such interval"),
        ([candle(0)], "outside the exchange's calendar"),
        (minutes(0, 3, 3), "starts before the one before it ends"),
    ],
)
def test_a_candle_that_the_calendar_does_not_have_is_an_error(
    candles: list[Candle], says: str
) -> None:
    report = verified(candles)
    assert report.errors == 1
    assert says in report.sentences[0]
    assert report.sentences[0].startswith("A 1m 1970-01-0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"open": 0.0}, "open is 0.0"),
        ({"close": float("nan")}, "close is nan"),
        ({"high": 10.5}, "high 10.5 is below"),
        ({"low": 10.5}, "low 10.5 is above"),
        ({"vwap": 12.5}, "vwap 12.5 is not between"),
        ({"volume": -1.0}, "volume is -1.0"),
        ({"trades": -1}, "trades are -1"),
    ],
)
def test_values_that_contradict_each_other_are_named(change: dict[str, float], says: str) -> None:
    (sentence,) = wrong_values(msgspec.structs.replace(candle(OPENS_NS[0]), **change))
    assert says in sentence


def test_all_errors_are_counted_but_not_all_are_told() -> None:
    wrong = [msgspec.structs.replace(one, volume=-1.0) for one in minutes(0, *range(30))]
    report = verified(wrong)
    assert (report.errors, len(report.sentences)) == (30, 20)
