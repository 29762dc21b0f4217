import math
import random
from datetime import date

import pytest

from shared.candles import CandleBuilder, LateTradesError, OutsideCalendarError, SessionCalendar
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle
from tests.shared.candles.sessions import DAY, HOUR, MINUTE, SECOND, mumbai, new_york, ns, utc

ABC = Symbol("ABC")
NEW_YORK = "America/New_York"


def around_the_clock() -> CandleBuilder:
    return CandleBuilder(ABC, SessionCalendar.continuous())


def feed(builder: CandleBuilder, *prints: tuple[int, float, float]) -> list[Candle]:
    at_ns, price, size = zip(*prints, strict=True)
    return builder.add_trades(at_ns, price, size)


def spans(candles: list[Candle], timeframe: Timeframe) -> list[tuple[str, str]]:
    return [(utc(c.start_ns), utc(c.end_ns)) for c in candles if c.timeframe == timeframe]


def test_a_candle_sums_up_its_prints() -> None:
    builder = around_the_clock()
    assert feed(builder, (0, 10.0, 3), (1, 12.0, 1), (2, 9.0, 4), (3, 11.0, 2)) == []
    [candle] = builder.advance(MINUTE)
    assert candle == Candle(
        symbol=ABC,
        timeframe="1m",
        start_ns=0,
        end_ns=MINUTE,
        open=10.0,
        high=12.0,
        low=9.0,
        close=11.0,
        volume=10.0,
        vwap=(30 + 12 + 36 + 22) / 10,
        trades=4,
    )


def test_the_forming_candle_of_every_timeframe_is_readable_after_each_print() -> None:
    builder = around_the_clock()
    assert all(builder.forming(timeframe) is None for timeframe in TIMEFRAMES)
    feed(builder, (0, 10.0, 3))
    feed(builder, (MINUTE, 12.0, 1))
    feed(builder, (3 * MINUTE, 9.0, 4))
    seen = {timeframe: builder.forming(timeframe) for timeframe in TIMEFRAMES}
    ohlc = {
        timeframe: (c.open, c.high, c.low, c.close, c.volume, c.trades)
        for timeframe, c in seen.items()
        if c is not None
    }
    assert ohlc["1m"] == ohlc["3m"] == (9.0, 9.0, 9.0, 9.0, 4.0, 1)
    for timeframe in TIMEFRAMES[2:]:
        assert ohlc[timeframe] == (10.0, 12.0, 9.0, 9.0, 8.0, 3)


def test_reading_a_forming_candle_changes_nothing() -> None:
    read, unread = around_the_clock(), around_the_clock()
    for minute in range(400):
        prints = [(minute * MINUTE + second * SECOND, 10.0 + second, 1.5) for second in range(3)]
        for timeframe in TIMEFRAMES:
            assert read.forming(timeframe) == read.forming(timeframe)
        assert feed(read, *prints) == feed(unread, *prints)


def test_completed_candles_come_by_end_time_and_small_timeframes_first() -> None:
    builder = around_the_clock()
    feed(builder, (4 * MINUTE, 10.0, 1))
    assert [(c.timeframe, c.end_ns // MINUTE) for c in builder.advance(30 * MINUTE)] == [
        ("1m", 5),
        ("5m", 5),
        ("3m", 6),
        ("15m", 15),
        ("30m", 30),
    ]


def test_a_candle_completes_when_time_reaches_its_end_and_no_earlier() -> None:
    builder = around_the_clock()
    feed(builder, (MINUTE - 1, 10.0, 1))
    assert builder.advance(MINUTE - 1) == []
    assert [c.timeframe for c in builder.advance(MINUTE)] == ["1m"]
    assert builder.advance(MINUTE) == []
    assert builder.forming("1m") is None
    assert builder.forming("3m") is not None


def test_a_print_completes_what_ended_before_it_and_belongs_to_the_next() -> None:
    builder = around_the_clock()
    feed(builder, (MINUTE - 1, 10.0, 1))
    [candle] = feed(builder, (MINUTE, 20.0, 1))
    assert (candle.end_ns, candle.close) == (MINUTE, 10.0)
    forming = builder.forming("1m")
    assert forming is not None
    assert (forming.start_ns, forming.open) == (MINUTE, 20.0)


def test_an_interval_without_prints_has_no_candle() -> None:
    builder = around_the_clock()
    feed(builder, (0, 10.0, 1))
    completed = feed(builder, (7 * MINUTE, 11.0, 1)) + builder.advance(HOUR)
    assert [c.start_ns // MINUTE for c in completed if c.timeframe == "1m"] == [0, 7]
    assert [c.start_ns // MINUTE for c in completed if c.timeframe == "3m"] == [0, 6]
    assert builder.advance(3 * HOUR) == []


def test_time_never_goes_back() -> None:
    builder = around_the_clock()
    feed(builder, (10 * MINUTE, 10.0, 1))
    assert builder.advance(MINUTE) == []
    with pytest.raises(LateTradesError):
        feed(builder, (5 * MINUTE, 10.0, 1))


def test_prints_of_equal_times_all_count_in_the_order_given() -> None:
    builder = around_the_clock()
    feed(builder, (5, 10.0, 1), (5, 12.0, 1), (5, 12.0, 1), (5, 11.0, 1))
    [candle] = builder.advance(MINUTE)
    assert (candle.open, candle.close, candle.volume, candle.trades) == (10.0, 11.0, 4.0, 4)


def test_an_older_print_counts_in_order_of_arrival_while_its_minute_is_not_over() -> None:
    builder = around_the_clock()
    feed(builder, (30 * SECOND, 10.0, 1))
    feed(builder, (20 * SECOND, 15.0, 2), (10 * SECOND, 5.0, 3))
    [candle] = builder.advance(MINUTE)
    assert (candle.open, candle.high, candle.low, candle.close) == (10.0, 15.0, 5.0, 5.0)
    assert (candle.volume, candle.trades) == (6.0, 3)


def test_a_print_older_than_the_time_told_counts_while_its_minute_is_not_over() -> None:
    builder = around_the_clock()
    builder.advance(10 * MINUTE + 30 * SECOND)
    assert feed(builder, (10 * MINUTE + 10 * SECOND, 10.0, 1)) == []
    assert [c.start_ns for c in builder.advance(11 * MINUTE)] == [10 * MINUTE]


def test_late_prints_are_refused_and_named_and_the_rest_is_accepted_without_them() -> None:
    builder, clean = around_the_clock(), around_the_clock()
    for each in (builder, clean):
        feed(each, (5 * MINUTE, 10.0, 1))
    at_ns = [5 * MINUTE + 1, 4 * MINUTE, 6 * MINUTE, 6 * MINUTE + 5, 5 * MINUTE + 9, 6 * MINUTE + 1]
    with pytest.raises(LateTradesError, match="ABC: 2 late trades") as refusal:
        builder.add_trades(at_ns, [11.0] * 6, [1.0] * 6)
    assert refusal.value.indexes == (1, 4)
    assert builder.forming("1w") == clean.forming("1w")
    kept = [at for index, at in enumerate(at_ns) if index not in refusal.value.indexes]
    assert builder.add_trades(kept, [11.0] * 4, [1.0] * 4) == clean.add_trades(
        kept, [11.0] * 4, [1.0] * 4
    )
    forming = builder.forming("1m")
    assert forming is not None
    assert forming.trades == 3


@pytest.mark.parametrize("told", [True, False])
def test_a_minute_is_over_at_its_end_and_not_a_moment_later(told: bool) -> None:
    builder = around_the_clock()
    if told:
        builder.advance(5 * MINUTE)
    else:
        feed(builder, (5 * MINUTE, 10.0, 1))
    with pytest.raises(LateTradesError) as refusal:
        feed(builder, (5 * MINUTE - 1, 10.0, 1), (5 * MINUTE, 10.0, 1))
    assert refusal.value.indexes == (0,)
    assert feed(builder, (5 * MINUTE, 10.0, 1)) == []


def test_a_print_of_no_size_moves_the_price_and_counts_as_a_trade() -> None:
    builder = around_the_clock()
    feed(builder, (0, 10.0, 5), (1, 14.0, 0))
    [candle] = builder.advance(MINUTE)
    assert (candle.high, candle.close, candle.volume, candle.vwap) == (14.0, 14.0, 5.0, 10.0)
    assert candle.trades == 2


def test_the_average_price_of_no_volume_is_the_close() -> None:
    builder = around_the_clock()
    feed(builder, (0, 10.0, 0), (1, 14.0, 0))
    [candle] = builder.advance(MINUTE)
    assert (candle.volume, candle.vwap) == (0.0, 14.0)


@pytest.mark.parametrize(("price", "size"), [(0.1, 0.1), (0.1, 0.3)])
def test_rounding_never_takes_the_average_price_out_of_the_range(price: float, size: float) -> None:
    assert sum([price * size] * 50, 0.0) / sum([size] * 50, 0.0) != price
    builder = around_the_clock()
    feed(builder, *[(at, price, size) for at in range(50)])
    [candle] = builder.advance(MINUTE)
    assert candle.low == candle.vwap == candle.high == price


def test_cutting_prints_into_calls_does_not_show_in_the_rounding_of_fractions() -> None:
    fractions = random.Random(7)
    prints = [(at, fractions.uniform(1, 2), fractions.random()) for at in range(200)]
    in_sevens, one_by_one = around_the_clock(), around_the_clock()
    for begin in range(0, len(prints), 7):
        feed(in_sevens, *prints[begin : begin + 7])
        for item in prints[begin : begin + 7]:
            feed(one_by_one, item)
        assert one_by_one.forming("1w") == in_sevens.forming("1w")


@pytest.mark.parametrize(
    ("price", "size", "complaint"),
    [
        (math.nan, 1, "price nan"),
        (math.inf, 1, "price inf"),
        (-math.inf, 1, "price -inf"),
        (-0.01, 1, "price -0.01"),
        (0.0, 1, "price 0.0"),
        (math.nan, 0, "price nan"),
        (math.inf, 0, "price inf"),
        (10.0, math.nan, "size nan"),
        (10.0, math.inf, "size inf"),
        (10.0, -1, "size -1"),
        (1e200, 1e200, "more than a float can hold"),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 5])
def test_a_print_that_is_no_number_is_refused_and_the_whole_call_with_it(
    price: float, size: float, complaint: str, position: int
) -> None:
    builder = around_the_clock()
    feed(builder, (0, 10.0, 1))
    before = [builder.forming(timeframe) for timeframe in TIMEFRAMES]
    prints: list[tuple[int, float, float]] = [(m * MINUTE, 10.0, 1) for m in range(1, 7)]
    prints[position] = (prints[position][0], price, size)
    with pytest.raises(ValueError, match=complaint):
        feed(builder, *prints)
    assert [builder.forming(timeframe) for timeframe in TIMEFRAMES] == before
    assert builder.advance(MINUTE)[0].trades == 1


def test_a_refused_call_takes_back_what_it_had_for_the_forming_minute() -> None:
    builder = around_the_clock()
    feed(builder, (0, 10.0, 1))
    before = builder.forming("1m")
    with pytest.raises(ValueError, match="price nan"):
        feed(builder, (1, 99.0, 1), (MINUTE, math.nan, 1))
    assert builder.forming("1m") == before


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="ABC: 2 times, 1 prices and 2 sizes"):
        around_the_clock().add_trades([0, 1], [1.0], [1.0, 1.0])


def test_no_prints_change_nothing() -> None:
    assert around_the_clock().add_trades([], [], []) == []


def test_prints_outside_the_calendar_are_refused_and_change_nothing() -> None:
    builder = CandleBuilder(ABC, new_york("2024-03-04", "2024-03-08"))
    with pytest.raises(OutsideCalendarError, match="before"):
        feed(builder, (ns("2024-03-04T03:59", NEW_YORK), 10.0, 1))
    inside = ns("2024-03-08T19:59", NEW_YORK)
    with pytest.raises(OutsideCalendarError, match="after"):
        feed(builder, (inside, 10.0, 1), (inside + 2 * DAY, 10.0, 1))
    assert builder.forming("1m") is None
    feed(builder, (inside, 10.0, 1))
    assert [c.timeframe for c in builder.advance(inside + 9 * DAY)] == list(TIMEFRAMES)


def test_counts_are_of_completed_and_forming_candles() -> None:
    builder = around_the_clock()
    assert set(builder.counts().values()) == {0}
    feed(builder, *[(minute * MINUTE, 10.0, 1) for minute in range(10)])
    assert builder.counts() == {
        "1m": 10, "3m": 4, "5m": 2, "15m": 1, "30m": 1, "1h": 1, "4h": 1, "1d": 1, "1w": 1,
    }  # fmt: skip
    builder.advance(30 * MINUTE)
    assert builder.counts()["1m"] == 10
    assert builder.counts()["30m"] == 1


def test_a_print_after_the_close_makes_candles_of_its_own_that_end_after_their_length() -> None:
    calendar = new_york("2024-03-04", "2024-03-08", opens="09:30", closes="16:00")
    builder = CandleBuilder(ABC, calendar)
    close = ns("2024-03-05T16:00", NEW_YORK)
    done = feed(builder, (close - SECOND, 10.0, 7), (close + 5 * SECOND, 11.0, 1))
    assert spans(done, "1h") == [("2024-03-05 20:30", "2024-03-05 21:00")]
    assert spans(done, "1d") == [("2024-03-05 14:30", "2024-03-05 21:00")]
    assert spans(done, "1w") == []
    done = builder.advance(close + 4 * HOUR)
    assert spans(done, "1m") == [("2024-03-05 21:00", "2024-03-05 21:01")]
    assert spans(done, "4h") == [("2024-03-05 21:00", "2024-03-06 01:00")]
    week = builder.forming("1w")
    assert week is not None
    assert (week.volume, utc(week.end_ns)) == (8.0, "2024-03-08 21:00")
    next_open = ns("2024-03-06T09:30", NEW_YORK)
    assert spans(builder.advance(next_open), "1d") == [("2024-03-05 21:00", "2024-03-06 14:30")]


def test_intraday_candles_stay_on_the_local_clock_when_the_clocks_change() -> None:
    for friday, monday, before, after in [
        ("2024-03-08", "2024-03-11", "14:30", "13:30"),  # forward on the 10th
        ("2024-11-01", "2024-11-04", "13:30", "14:30"),  # back on the 3rd
    ]:
        builder = CandleBuilder(ABC, new_york(friday, monday, opens="09:30", closes="16:00"))
        done = []
        for day in (friday, monday):
            done += feed(builder, (ns(f"{day}T09:30", NEW_YORK), 10.0, 1))
            done += builder.advance(ns(f"{day}T16:00", NEW_YORK))
        starts = [start for start, _ in spans(done, "4h")]
        assert starts == [f"{friday} {before}", f"{monday} {after}"]
        assert len(spans(done, "1w")) == 2


def test_a_market_open_through_the_change_of_clocks_has_a_longer_or_shorter_day() -> None:
    # Sunday evening to Friday evening New York; the sessions are cut at 17:00 local.
    opens = [ns(f"2024-11-0{day}T17:00", NEW_YORK) for day in (1, 2, 3)]
    builder = CandleBuilder(
        ABC,
        SessionCalendar(opens[:2], opens[1:], [date(2024, 11, day) for day in (2, 3)]),
    )
    feed(builder, *[(opens[1] + hour * HOUR, 10.0, 1) for hour in range(25)])
    done = builder.advance(opens[2])
    assert spans(done, "1d") == [("2024-11-02 21:00", "2024-11-03 22:00")]
    assert spans(done, "4h")[-1] == ("2024-11-03 21:00", "2024-11-03 22:00")
    assert builder.counts()["1h"] == 25


def test_a_half_day_ends_its_day_and_last_hour_early() -> None:
    # Friday after Thanksgiving 2024: 13:00, here with regular hours.
    builder = CandleBuilder(
        ABC,
        new_york(
            "2024-11-25",
            "2024-11-29",
            opens="09:30",
            closes="16:00",
            holidays=["2024-11-28"],
            early_closes={"2024-11-29": "13:00"},
        ),
    )
    done = []
    for day in ("2024-11-25", "2024-11-27", "2024-11-29"):
        done += feed(builder, (ns(f"{day}T12:45", NEW_YORK), 10.0, 1))
    done += builder.advance(ns("2024-11-29T12:59:59", NEW_YORK))
    assert spans(done, "1d")[-1] == ("2024-11-27 14:30", "2024-11-27 21:00")
    done += builder.advance(ns("2024-11-29T13:00", NEW_YORK))
    assert spans(done, "1h")[-1] == ("2024-11-29 17:30", "2024-11-29 18:00")
    assert spans(done, "1d")[-1] == ("2024-11-29 14:30", "2024-11-29 18:00")
    assert spans(done, "1w") == [("2024-11-25 14:30", "2024-11-29 18:00")]


def test_a_week_with_a_holiday_is_the_sessions_it_has() -> None:
    # Labor Day, Monday 2024-09-02.
    builder = CandleBuilder(ABC, new_york("2024-08-26", "2024-09-06", holidays=["2024-09-02"]))
    done = []
    for day in ("2024-08-30", "2024-09-03", "2024-09-06"):
        done += feed(builder, (ns(f"{day}T12:00", NEW_YORK), 10.0, 5))
    done += builder.advance(ns("2024-09-06T20:00", NEW_YORK))
    assert spans(done, "1w") == [
        ("2024-08-26 08:00", "2024-08-31 00:00"),
        ("2024-09-03 08:00", "2024-09-07 00:00"),
    ]
    assert [c.volume for c in done if c.timeframe == "1w"] == [5.0, 10.0]


def test_a_session_from_a_quarter_to_four_utc_counts_its_hours_from_there() -> None:
    builder = CandleBuilder(ABC, mumbai("2024-03-04", "2024-03-08"))
    opens = ns("2024-03-05T03:45")
    feed(builder, *[(opens + minute * MINUTE, 10.0, 1) for minute in range(375)])
    done = builder.advance(opens + 375 * MINUTE)
    assert spans(done, "1d") == [("2024-03-05 03:45", "2024-03-05 10:00")]
    assert spans(done, "4h") == [("2024-03-05 07:45", "2024-03-05 10:00")]
    assert builder.counts()["1h"] == 7
    assert builder.counts()["5m"] == 75


def test_a_market_around_the_clock_has_midnight_days_and_monday_weeks() -> None:
    builder = around_the_clock()
    monday = ns("2024-03-04T00:00")
    feed(builder, *[(monday + hour * HOUR, 10.0, 1) for hour in range(7 * 24)])
    done = builder.advance(monday + 7 * DAY)
    assert spans(done, "1w") == [("2024-03-04 00:00", "2024-03-11 00:00")]
    assert builder.counts()["1d"] == 7
    assert builder.counts()["4h"] == 42
