from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.amounts import exactly, measured, plain, rounded_down, rounded_up
from shared.trading.commissions import expected_fee
from shared.trading.costs import notional_of
from shared.trading.paper_terms import basis_points
from shared.trading.positions import Holding, after_fill
from tests.shared.trading.support import T0

D = Decimal


@pytest.mark.parametrize(
    ("price", "side", "bps", "tick", "slipped"),
    [
        ("100", "buy", "0", "0.01", "100"),
        ("100", "buy", "5", "0.01", "100.05"),
        ("100", "sell", "5", "0.01", "99.95"),
        ("100.001", "buy", "0", "0.01", "100.01"),
        ("100.009", "sell", "0", "0.01", "100"),
        ("99.99", "buy", "1", "0.01", "100"),
        ("0.01", "sell", "9999", "0.01", "0.01"),
        ("1", "sell", "10000", "0.05", "0.05"),
    ],
)
def test_slippage_goes_to_the_next_tick_against_the_trader(
    price: str, side: str, bps: str, tick: str, slipped: str
) -> None:
    terms = basis_points(D(0), D(bps))
    assert terms.slipped(D(price), side, D(tick), D(1)) == D(slipped)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("notional", "bps", "fee"),
    [("1000", "10", "1"), ("1000", "0", "0"), ("50", "1", "0.01"), ("49.99", "1", "0")],
)
def test_a_fee_is_rounded_to_the_cent_halves_up(notional: str, bps: str, fee: str) -> None:
    model = basis_points(D(bps), D(0)).commission
    assert expected_fee(model, D(1), D(notional), D(0)) == D(fee)


def test_a_notional_beyond_twelve_decimals_is_rounded_against_the_trader() -> None:
    tiny, price = D("0.00000001"), D("0.0000333")
    assert notional_of(tiny, price, "buy") == D("0.000000000001")
    assert notional_of(tiny, price, "sell") == 0
    assert rounded_up(D("1.5")) == rounded_down(D("1.5")) == D("1.5")


def test_a_measured_price_is_the_number_that_was_printed() -> None:
    assert measured(0.1) == D("0.1")
    assert measured(167.4201) == D("167.4201")


def test_plain_numbers_have_no_exponent_and_no_trailing_zeros() -> None:
    assert [str(plain(D(text))) for text in ("1E+3", "5.000000000000", "0E-12", "0.10")] == [
        "1000",
        "5",
        "0",
        "0.1",
    ]


def fill(holding: Holding, qty: str, price: str) -> tuple[Holding, D]:
    return after_fill(holding, D(qty), -D(qty) * D(price), D(0), T0)


def test_the_average_price_moves_with_buys_and_stays_with_sells() -> None:
    holding, realized = fill(Holding("SPY"), "10", "100")  # type: ignore[arg-type]
    assert (holding.avg_price, realized) == (100, 0)
    holding, realized = fill(holding, "10", "110")
    assert (holding.avg_price, realized) == (105, 0)
    holding, realized = fill(holding, "-5", "120")
    assert (holding.qty, holding.avg_price, realized) == (15, 105, 75)
    holding, realized = fill(holding, "-15", "100")
    assert (holding.qty, holding.cost, holding.avg_price, realized) == (0, 0, 0, -75)
    assert holding.realized_pnl == 0


def test_a_fill_through_zero_closes_and_opens_the_other_side() -> None:
    holding, _ = fill(Holding("SPY"), "10", "100")  # type: ignore[arg-type]
    holding, realized = fill(holding, "-15", "110")
    assert (holding.qty, holding.avg_price, realized) == (-5, 110, 100)
    holding, realized = fill(holding, "5", "100")
    assert (holding.qty, holding.cost, realized) == (0, 0, 50)


amounts = st.decimals("0.01", "1000", places=4)


@given(st.lists(st.tuples(st.decimals("-50", "50", places=3).filter(bool), amounts), max_size=30))
def test_profit_and_cost_add_up_to_the_cash_that_moved(fills: list[tuple[D, D]]) -> None:
    @exactly
    def play() -> None:
        holding, cash = Holding("SPY"), D(0)  # type: ignore[arg-type]
        for traded, price in fills:
            flow = -traded * price
            cash += flow
            holding, _ = after_fill(holding, traded, flow, D(0), T0)
        assert cash == holding.realized_pnl - holding.cost
        assert holding.qty == sum(traded for traded, _ in fills)

    play()
