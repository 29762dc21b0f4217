from datetime import date

import msgspec
import pytest

from shared.candles import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.indicators import create
from shared.indicators.board import IndicatorBoard
from shared.models.identifiers import Symbol
from tests.shared.indicators.markets import BEGIN_NS, MINUTE_NS, candle, candles

SPY, QQQ = Symbol("SPY"), Symbol("QQQ")


def test_many_who_ask_for_the_same_share_one_calculation() -> None:
    board = IndicatorBoard()
    first = board.follow(SPY, "1m", "bbands", {})
    second = board.follow(SPY, "1m", "BBANDS", {"deviations": 2, "period": 20})
    assert first == second
    assert len(board) == 1
    for one in candles(30):
        board.take(one)
    alone = create("BBANDS", {})
    for one in candles(30):
        alone.update(one.close)
    assert board.value(first) == alone.value


@pytest.mark.parametrize(
    ("symbol", "timeframe", "name", "params"),
    [
        (QQQ, "1m", "SMA", {"period": 5}),
        (SPY, "3m", "SMA", {"period": 5}),
        (SPY, "1m", "EMA", {"period": 5}),
        (SPY, "1m", "SMA", {"period": 6}),
    ],
)
def test_what_differs_in_anything_is_calculated_on_its_own(
    symbol: Symbol, timeframe: str, name: str, params: dict[str, object]
) -> None:
    board = IndicatorBoard()
    one = board.follow(SPY, "1m", "SMA", {"period": 5})
    other = board.follow(symbol, timeframe, name, params)  # type: ignore[arg-type]
    assert one != other
    assert len(board) == 2


def test_a_candle_goes_to_its_own_series_alone_and_only_once() -> None:
    board = IndicatorBoard()
    ours = board.follow(SPY, "1m", "SMA", {"period": 1})
    others = board.follow(QQQ, "1m", "SMA", {"period": 1})
    first, second = candles(2)
    assert board.take(second)
    assert not board.take(second)
    assert not board.take(first)
    assert not board.take(msgspec.structs.replace(second, timeframe="3m"))
    assert (board.value(ours), board.value(others)) == (second.close, None)


def test_the_forming_candle_has_a_value_and_changes_nothing() -> None:
    board = IndicatorBoard()
    mean = board.follow(SPY, "1m", "SMA", {"period": 2})
    span = board.follow(SPY, "1m", "DONCHIAN", {"period": 1})
    board.take(candle(0, 11.0, 9.0, 10.0, 1.0))
    forming = candle(1, 21.0, 19.0, 20.0, 1.0)
    assert board.forming(mean, forming) == 15.0
    assert board.forming(span, forming) == (21.0, 20.0, 19.0)
    assert (board.value(mean), board.value(span)) == (None, (11.0, 10.0, 9.0))


def test_what_nobody_follows_any_more_is_dropped() -> None:
    board = IndicatorBoard()
    key = board.follow(SPY, "1m", "SMA", {"period": 1})
    board.follow(SPY, "1m", "SMA", {"period": 1})
    board.leave(key)
    first, second = candles(2)
    assert board.take(first)
    board.leave(key)
    assert len(board) == 0
    assert not board.take(second)
    for method in (board.leave, board.value):
        with pytest.raises(KeyError):
            method(key)
    # And begins anew when it is asked for again.
    assert board.value(board.follow(SPY, "1m", "SMA", {"period": 1})) is None
    assert board.take(first)


def test_a_new_one_is_warmed_from_earlier_candles_but_never_one_that_was_fed() -> None:
    board = IndicatorBoard()
    key = board.follow(SPY, "1m", "ATR", {"period": 3})
    *earlier, last = candles(20)
    board.warm(key, earlier)
    board.take(last)
    alone = create("ATR", {"period": 3})
    for one in [*earlier, last]:
        alone.update(one)
    assert board.value(key) == alone.value
    with pytest.raises(ValueError, match="ATR of SPY 1m has seen candles already"):
        board.warm(key, earlier)


def test_a_refused_candle_changes_none_of_its_indicators() -> None:
    opens = BEGIN_NS + 5 * MINUTE_NS
    calendar = SessionCalendar([opens], [opens + 60 * MINUTE_NS], [date(2026, 1, 5)])
    board = IndicatorBoard({SPY: calendar}.get)
    mean = board.follow(SPY, "1m", "SMA", {"period": 1})
    price = board.follow(SPY, "1m", "VWAP", {})
    with pytest.raises(OutsideCalendarError):
        board.take(candle(4, 11.0, 9.0, 10.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        board.take(candle(5, 11.0, 9.0, 10.0, float("nan")))
    assert (board.value(mean), board.value(price)) == (None, None)
    assert board.take(candle(5, 11.0, 9.0, 10.0, 1.0))
    assert (board.value(mean), board.value(price)) == (10.0, 10.0)


def test_with_a_new_run_all_begin_anew_and_stay_followed() -> None:
    board = IndicatorBoard()
    key = board.follow(SPY, "1m", "SMA", {"period": 1})
    first, second = candles(2)
    board.take(second)
    board.reset()
    assert board.value(key) is None
    assert board.take(first)
    assert board.value(key) == first.close


def test_an_unknown_indicator_or_parameter_is_refused_and_follows_nothing() -> None:
    board = IndicatorBoard()
    with pytest.raises(ValueError, match="unknown indicator"):
        board.follow(SPY, "1m", "NOPE", {})
    with pytest.raises(ValueError, match="period must be"):
        board.follow(SPY, "1m", "SMA", {"period": 0})
    assert len(board) == 0
    assert not board.take(candles(1)[0])
