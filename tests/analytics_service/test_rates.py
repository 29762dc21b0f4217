"""What other currencies are worth over time, and what that makes of curves."""

from decimal import Decimal

from analytics_service.performance.rates import Abroad, RateSeries
from shared.metrics.equity_curve import worth
from shared.metrics.executions import Fill

D = Decimal
EUR = RateSeries([(20, D("1.2")), (10, D("1.1")), (20, D("1.3"))])


def test_the_newest_rate_counts_and_before_the_first_the_first() -> None:
    assert [EUR.at(at_us) for at_us in (0, 10, 19, 20, 99)] == [
        D("1.1"), D("1.1"), D("1.1"), D("1.3"), D("1.3"),
    ]  # fmt: skip
    assert EUR.last == D("1.3")


def test_candles_of_pairs_tell_rates_and_the_other_way_round_upside_down() -> None:
    abroad = Abroad("USD", {"EUR": EUR}, {"SAP": "EUR"})
    assert abroad.pairs == {"EURUSD", "USDEUR"}
    closes = {
        "EURUSD": [(15, 1.15)],
        "USDEUR": [(30, 0.5)],
        "SAP": [(12, 100.0), (16, 100.0), (40, 110.0)],
        "SPY": [(12, 400.0)],
    }
    told = abroad.in_base(closes, {"SAP", "SPY", "NONE"})
    assert told["SAP"] == [(12, 110.0), (16, 115.0), (40, 220.0)]
    assert told["SPY"] == [(12, 400.0)]
    assert told["EUR cash"] == [(10, 1.1), (15, 1.15), (20, 1.2), (20, 1.3), (30, 2.0)]
    assert told.keys() == {"SAP", "SPY", "EUR cash"}


def test_cash_abroad_moves_the_curve_with_its_rate() -> None:
    closes = Abroad("USD", {"EUR": EUR}, {}).in_base({}, set())
    bought = Fill("EUR cash", D(100), D("1.1"), D(0), D(0), 10)
    curve = worth(D(1000), [bought], closes)
    assert [(each.at_us, each.equity) for each in curve] == [(10, 1000), (20, 1020)]
