"""A split is no profit and no loss, and no end of a trade."""

from decimal import Decimal

from shared.metrics.equity_curve import equity_curve
from shared.metrics.executions import Fill, SplitMove
from shared.metrics.trades import Trade, round_trips

D = Decimal
BOUGHT = Fill("SPY", D(10), D(100), D(1), D(0), 1)
SPLIT = SplitMove("SPY", D(40), D(25), D(0), 3)
SOLD = Fill("SPY", D(-40), D(26), D(1), D(40), 5)


def test_the_equity_curve_goes_on_over_a_split() -> None:
    closes = {"SPY": [(2, 101.0), (4, 25.5)]}
    points = equity_curve(D(2000), [BOUGHT, SPLIT, SOLD], closes)
    assert [(point.at_us, point.equity) for point in points] == [
        (1, D(2000)),
        (2, D(2009)),
        (4, D(2019)),
        (5, D(2038)),
    ]
    unmarked = equity_curve(D(2000), [BOUGHT, SPLIT, SOLD], {})
    assert [point.equity for point in unmarked] == [D(2000), D(1999), D(1999), D(2038)]


def test_a_round_trip_goes_on_in_new_shares_and_ends_with_less_than_one() -> None:
    assert round_trips([BOUGHT, SPLIT, SOLD]) == [Trade("SPY", 1, 5, D(38))]
    gone = SplitMove("SPY", D(0), D(1000), D(7), 3)
    assert round_trips([BOUGHT, gone]) == [Trade("SPY", 1, 3, D(6))]
    assert round_trips([SPLIT]) == []
