import pytest

from shared.candles import LENGTH_NS, parse_timeframe
from shared.models.identifiers import TIMEFRAMES


@pytest.mark.parametrize("name", TIMEFRAMES)
def test_every_timeframe_is_known_by_its_own_name(name: str) -> None:
    assert parse_timeframe(name) == name


@pytest.mark.parametrize(
    ("text", "timeframe"),
    [
        ("1", "1m"),
        ("3", "3m"),
        ("5", "5m"),
        ("15", "15m"),
        ("30", "30m"),
        ("60", "1h"),
        ("240", "4h"),
        ("1D", "1d"),
        ("D", "1d"),
        ("1W", "1w"),
        ("W", "1w"),
    ],
)
def test_the_names_of_tradingview_are_understood(text: str, timeframe: str) -> None:
    assert parse_timeframe(text) == timeframe


@pytest.mark.parametrize(
    "text", ["", "1M", "2m", "1H", "60m", "1 m", " 1m", "d", "0", "-1", "1day"]
)
def test_other_names_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="known are 1m, 3m, 5m, 15m, 30m, 1h, 4h, 1d, 1w"):
        parse_timeframe(text)


def test_lengths_ascend_and_are_whole_minutes() -> None:
    minutes = [LENGTH_NS[timeframe] / 60e9 for timeframe in TIMEFRAMES]
    assert minutes == [1, 3, 5, 15, 30, 60, 240, 1440, 10080]
