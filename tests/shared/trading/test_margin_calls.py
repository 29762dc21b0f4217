"""What a margin call closes, what borrowing costs, and that all of it adds up."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.identifiers import Symbol
from shared.trading.liquidation import closings
from shared.trading.orders import WORKING
from tests.shared.trading.margin_account import INSTRUMENTS, USUAL, Account, D
from tests.shared.trading.support import T0, command

# --- liquidation -----------------------------------------------------------------------------


def _two_positions(spy: str = "70", qqq: str = "100") -> Account:
    """10,000; 100 SPY and 90 short QQQ from 100 on, then at these prices."""
    account = Account()
    account.hold("buy", "100")
    account.hold("sell", "90", symbol="QQQ")
    account.print(spy)
    account.print(qqq, "QQQ")
    return account


def _chosen(account: Account, buffer: str = "0", **lots: str) -> list[tuple[str, Decimal]]:
    sizes = {Symbol(symbol): D(lot) for symbol, lot in lots.items()}
    books = account.books
    return [
        (str(symbol), qty)
        for symbol, qty in closings(books.margin, books.holdings, sizes, D(buffer))
    ]


def test_the_larger_requirement_is_closed_first_and_no_more_than_it_takes() -> None:
    account = _two_positions(qqq="130")
    figures = account.figures
    assert (figures.equity, figures.maintenance_requirement) == (D(4300), D(5260))
    # 960 at 39 a share; with the buffer 5,260 − 4,300 ÷ 1.1 = 1,350.91.
    assert _chosen(account, SPY="1", QQQ="1") == [("QQQ", 25)]
    assert _chosen(account, "10", SPY="1", QQQ="1") == [("QQQ", 35)]
    assert _chosen(account, SPY="1", QQQ="10") == [("QQQ", 30)]
    assert _chosen(account, SPY="1", QQQ="1000") == [("QQQ", 90)], "never more than is held"


def test_what_has_no_price_is_left_out_and_the_next_is_closed() -> None:
    account = _two_positions(qqq="130")
    assert _chosen(account, SPY="1") == [("SPY", 55)]
    assert _chosen(account) == []


def test_without_equity_everything_is_closed() -> None:
    account = _two_positions(spy="10", qqq="120")
    assert account.figures.equity < 0
    assert _chosen(account, SPY="1", QQQ="1") == [("QQQ", 90), ("SPY", 100)]


def test_what_is_chosen_meets_the_requirement_at_the_same_prices() -> None:
    for spy, qqq in (("60", "120"), ("55", "125"), ("70", "135"), ("100", "160"), ("41", "100")):
        account = _two_positions(spy, qqq)
        if account.figures.equity <= 0:
            continue
        for symbol, qty in _chosen(account, "5", SPY="1", QQQ="1"):
            side = "buy" if account.books.holdings[Symbol(symbol)].qty < 0 else "sell"
            assert account.order(side, str(qty), symbol=symbol) == "accepted"
            account.print(str(account.prices[Symbol(symbol)]), symbol)
        figures = account.figures
        assert figures.equity >= figures.maintenance_requirement * D("1.05")


# --- what is borrowed ------------------------------------------------------------------------


def test_borrowed_cash_and_borrowed_shares_are_paid_for_by_the_day() -> None:
    account = Account(margin=msgspec.structs.replace(USUAL, interest_bps=D(720)))
    account.hold("buy", "150")
    account.hold("sell", "10", symbol="QQQ")
    account.print("120", "QQQ")
    fees = {Symbol("QQQ"): D(900), Symbol("SPY"): D(500)}
    # 4,000 borrowed at 7.2 % and 1,200 at 9 %, a 360th of a year each day.
    paid = account.books.carry(3, fees, T0)
    assert [(each.entry.amount, each.entry.kind) for each in paid] == [
        (D("-2.40"), "interest"),
        (D("-0.90"), "interest"),
    ]
    assert [each.entry.reason for each in paid] == [
        "Interest on borrowed cash, 3 days",
        "Fee for borrowed positions, 3 days",
    ]
    assert account.books.cash == D("-4003.30")


def test_nothing_is_paid_for_what_is_not_borrowed_or_less_than_half_a_cent() -> None:
    account = Account(margin=msgspec.structs.replace(USUAL, interest_bps=D(720)))
    account.hold("buy", "50")
    assert account.books.carry(1, {Symbol("SPY"): D(900)}, T0) == []
    account.hold("sell", "50")
    account.hold("sell", "1")
    assert account.books.carry(1, {Symbol("SPY"): D("1.79")}, T0) == []


# --- a plain second opinion -------------------------------------------------------------------


def _plainly(account: Account) -> tuple[Decimal, Decimal]:
    """Equity and what is required, worked out in another way: by trying what could fill."""
    held = {symbol: holding.qty for symbol, holding in account.books.holdings.items()}
    equity = account.books.cash + sum(qty * account.prices[each] for each, qty in held.items())
    required = D(0)
    for symbol in INSTRUMENTS:
        qty, price = held.get(symbol, D(0)), account.prices.get(symbol, D(0))
        orders = [o.order for o in account.books.working.values() if o.order.symbol == symbol]
        outcomes = [abs(qty) * price]
        for side, sign in (("buy", 1), ("sell", -1)):
            position, value = qty, abs(qty) * price
            mine = [order for order in orders if order.side == side]
            # The cheap ones close what is held, one unit after another; the dear ones open.
            for order in sorted(mine, key=lambda each: account.worst[each.client_order_id]):
                unit = account.worst[order.client_order_id]
                for _ in range(int(order.qty - order.filled_qty)):
                    value += unit if position * sign >= 0 else -price
                    position += sign
            outcomes.append(value)
        required += max(outcomes) / 2
    return equity, required


ORDERS = st.tuples(
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 120),
    st.sampled_from([None, "95", "100", "105"]),
    st.sampled_from(["SPY", "QQQ"]),
)

PRINTS = st.tuples(st.sampled_from(["SPY", "QQQ"]), st.integers(90, 110))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(ORDERS, PRINTS), max_size=25))
def test_what_was_accepted_is_covered_and_cash_explains_equity(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    account = Account()
    for symbol in ("SPY", "QQQ"):
        account.print("100", symbol)
    for step in steps:
        if len(step) == 2:
            account.print(str(step[1]), step[0])
        else:
            side, qty, limit, symbol = step
            opens = not account.books.margin.reduces(command(side, str(qty), limit, symbol=symbol))
            taken = account.order(side, str(qty), limit, symbol)
            assert account.figures.excess >= 0 or not (taken == "accepted" and opens)
        figures = account.figures
        equity, required = _plainly(account)
        assert figures.equity == equity
        assert figures.initial_requirement + figures.order_requirement == required
        assert figures.excess == equity - required
        working = account.books.working.values()
        assert all(each.order.status in WORKING for each in working)
    flows = sum(h.realized_pnl - h.cost for h in account.books.holdings.values())
    assert account.books.cash == D(10000) + flows
