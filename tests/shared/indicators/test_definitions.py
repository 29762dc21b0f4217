"""What TA-Lib doesn't have, calculated anew from all candles by its definition."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from statistics import fmean

import pytest

from shared.candles import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.indicators import VWAP, create
from shared.models.market import Candle
from tests.shared.indicators.markets import BEGIN_NS, MINUTE_NS, candle, candles, trending

HOUR_NS = 60 * MINUTE_NS


@pytest.fixture(params=["walk", "trends"])
def market(request: pytest.FixtureRequest) -> list[Candle]:
    return candles(3_000, seed=3) if request.param == "walk" else trending(1_000)


def results(name: str, market: Sequence[Candle], **params: float) -> list[tuple[float, ...] | None]:
    indicator = create(name, params)
    return [indicator.update(one) for one in market]


def middle(market: Sequence[Candle]) -> float:
    return (max(one.high for one in market) + min(one.low for one in market)) / 2


def true_ranges(market: Sequence[Candle]) -> list[float]:
    return [
        max(now.high - now.low, abs(now.high - before.close), abs(now.low - before.close))
        for before, now in pairwise(market)
    ]


def wilder_atr(market: Sequence[Candle], period: int) -> list[float | None]:
    ranges = true_ranges(market)
    found: list[float | None] = [None] * period
    mean = fmean(ranges[:period])
    found.append(mean)
    for one in ranges[period:]:
        mean += (one - mean) / period
        found.append(mean)
    return found


@pytest.mark.parametrize("period", [1, 2, 20, 200])
def test_a_donchian_channel_spans_the_latest_candles_this_one_included(
    market: list[Candle], period: int
) -> None:
    for index, result in enumerate(results("DONCHIAN", market, period=period)):
        if index + 1 < period:
            assert result is None
            continue
        window = market[index + 1 - period : index + 1]
        high, low = max(one.high for one in window), min(one.low for one in window)
        assert result == (high, (high + low) / 2, low)


@pytest.mark.parametrize(("period", "atr_period"), [(20, 10), (5, 30)])
def test_a_keltner_channel_is_true_ranges_around_an_exponential_average(
    market: list[Candle], period: int, atr_period: int
) -> None:
    atr = wilder_atr(market, atr_period)
    average = fmean(one.close for one in market[:period])
    found = results("KELTNER", market, period=period, atr_period=atr_period, multiple=1.5)
    for index, result in enumerate(found):
        if index >= period:
            average += (market[index].close - average) * 2 / (period + 1)
        true_range = atr[index]
        if index + 1 < period or true_range is None:
            assert result is None
            continue
        lines = (average + 1.5 * true_range, average, average - 1.5 * true_range)
        assert result == pytest.approx(lines, rel=1e-12)


def test_a_supertrend_follows_the_price_until_a_close_beyond_its_line(
    market: list[Candle],
) -> None:
    period, multiple = 10, 2.0
    atr = wilder_atr(market, period)
    uppers: list[float] = []
    lowers: list[float] = []
    trend, turns = 0, 0
    for index, result in enumerate(results("SUPERTREND", market, period=period, multiple=multiple)):
        true_range = atr[index]
        if true_range is None:
            assert result is None
            continue
        now, before = market[index], market[index - 1]
        upper = (now.high + now.low) / 2 + multiple * true_range
        lower = (now.high + now.low) / 2 - multiple * true_range
        if uppers:
            lower = lower if lower > lowers[-1] or before.close < lowers[-1] else lowers[-1]
            upper = upper if upper < uppers[-1] or before.close > uppers[-1] else uppers[-1]
        last_trend = trend
        if not uppers:
            trend = -1
        elif trend == -1:
            trend = 1 if now.close > upper else -1
        else:
            trend = -1 if now.close < lower else 1
        turns += trend != last_trend
        uppers.append(upper)
        lowers.append(lower)
        assert result == pytest.approx((lower if trend == 1 else upper, trend), rel=1e-9)
    assert turns > 5


@pytest.mark.parametrize("params", [(9, 26, 52, 26), (20, 5, 3, 1)])
def test_ichimokus_cloud_was_drawn_ahead_from_the_middles_of_ranges(
    market: list[Candle], params: tuple[int, int, int, int]
) -> None:
    conversion, base, span, displacement = params
    warm_up = max(params[:3]) + displacement

    def at(index: int, period: int) -> float:
        return middle(market[index + 1 - period : index + 1])

    found = results(
        *("ICHIMOKU", market[:400]),
        conversion=conversion,
        base=base,
        span=span,
        displacement=displacement,
    )
    for index, result in enumerate(found):
        if index + 1 < warm_up:
            assert result is None
            continue
        earlier = index - displacement
        assert result == pytest.approx(
            (
                at(index, conversion),
                at(index, base),
                (at(index, conversion) + at(index, base)) / 2,
                at(index, span),
                (at(earlier, conversion) + at(earlier, base)) / 2,
                at(earlier, span),
            ),
            rel=1e-12,
        )


# Two sessions of an hour, the second one not at midnight either.
SESSIONS = SessionCalendar(
    [BEGIN_NS + 23 * HOUR_NS, BEGIN_NS + 47 * HOUR_NS],
    [BEGIN_NS + 25 * HOUR_NS, BEGIN_NS + 49 * HOUR_NS],
    [date(2026, 1, 6), date(2026, 1, 7)],
)


def session_candles() -> list[Candle]:
    minutes = [*range(23 * 60, 25 * 60), *range(47 * 60, 49 * 60)]
    return [
        candle(minute, one.high, one.low, one.close, one.volume)
        for minute, one in zip(minutes, candles(240, seed=8), strict=True)
    ]


def test_the_volume_weighted_price_begins_anew_with_each_session_and_not_at_midnight() -> None:
    market = session_candles()
    indicator = VWAP(SESSIONS)
    for index, one in enumerate(market):
        session = market[: index + 1] if index < 120 else market[120 : index + 1]
        volume = sum(each.volume for each in session)
        expected = sum(each.vwap * each.volume for each in session) / volume
        assert indicator.update(one) == pytest.approx(expected, rel=1e-12)


def test_without_a_calendar_a_session_is_a_utc_day() -> None:
    market = session_candles()
    indicator = VWAP()
    values = [indicator.update(one) for one in market]
    after_midnight = market[60:120]
    volume = sum(one.volume for one in after_midnight)
    expected = sum(one.vwap * one.volume for one in after_midnight) / volume
    assert values[119] == pytest.approx(expected, rel=1e-12)


def test_before_a_sessions_first_volume_its_price_is_the_close() -> None:
    indicator = VWAP()
    assert indicator.update(candle(0, 11.0, 9.0, 10.0, 0.0)) == 10.0
    assert indicator.update(candle(1, 11.0, 9.0, 10.5, 0.0)) == 10.5
    assert indicator.update(candle(2, 12.0, 10.0, 11.0, 4.0)) == 11.0


def test_a_candle_outside_the_calendar_is_refused_and_changes_nothing() -> None:
    indicator = VWAP(SESSIONS)
    before = indicator.state()
    with pytest.raises(OutsideCalendarError):
        indicator.update(candle(0, 11.0, 9.0, 10.0, 1.0))
    assert indicator.state() == before
