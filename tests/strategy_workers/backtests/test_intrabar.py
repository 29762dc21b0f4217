import pytest

from strategy_workers.backtests.intrabar import path


@pytest.mark.parametrize(
    ("bar", "prices"),
    [
        ((10.0, 11.0, 8.0, 9.0), [10.0, 11.0, 8.0, 9.0]),  # the high is nearer
        ((10.0, 13.0, 9.0, 12.0), [10.0, 9.0, 13.0, 12.0]),  # the low is nearer
        ((10.0, 11.0, 9.0, 10.5), [10.0, 9.0, 11.0, 10.5]),  # as near: the low first
        ((10.0, 10.0, 10.0, 10.0), [10.0, 10.0, 10.0, 10.0]),
    ],
)
def test_prices_go_from_the_open_to_the_nearer_extreme_first(
    bar: tuple[float, float, float, float], prices: list[float]
) -> None:
    assert [price for _, price in path(0, 60_000_000_000, *bar)] == prices


def test_the_path_lies_within_the_candle() -> None:
    times = [at_ns for at_ns, _ in path(0, 60_000_000_000, 10.0, 11.0, 9.0, 10.0)]
    assert times == [0, 20_000_000_000, 40_000_000_000, 59_999_999_000]
