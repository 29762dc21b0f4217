"""Margin accounts: what positions and orders require, what that forbids, and what always passes."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.cash import CashKind, MoveCash, transfer_id_of
from shared.models.identifiers import AccountId, Symbol
from shared.models.margin import MarginFigures, MarginTerms
from shared.models.orders import ClosePositions, ReplaceOrder, StopLoss, TakeProfit
from shared.trading.books import Books, BooksState
from shared.trading.changes import CashEntered
from shared.trading.liquidation import closings
from shared.trading.orders import WORKING
from shared.trading.terms import Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, command, submit_all, terms

D = Decimal
#: Half, a quarter, and three tenths, as accounts begin.
USUAL = MarginTerms()
QQQ = msgspec.structs.replace(SPY, symbol=Symbol("QQQ"))
HARD = msgspec.structs.replace(SPY, symbol=Symbol("HARD"), shortable=False)
INSTRUMENTS = {each.symbol: each for each in (SPY, QQQ, HARD)}


class Account:
    """A margin account and its market."""

    def __init__(
        self, capital: str = "10000", margin: MarginTerms | None = USUAL, fee_bps: str = "0"
    ) -> None:
        account = msgspec.structs.replace(terms(capital, fee_bps=fee_bps), margin=margin)
        self.prices: dict[Symbol, Decimal] = {}
        limits = Limits(reserve_buffer_bps=D(0))
        self.books = Books(account, "paper", limits, BooksState(), self.prices.get)
        self.books.open(T0)
        self._orders = 0
        #: Client order id → price at which the order is counted.
        self.worst: dict[str, Decimal] = {}

    def order(
        self, side: str, qty: str, limit: str | None = None, symbol: str = "SPY", **more: object
    ) -> str:
        """How it was taken: its status, or why it was rejected."""
        self._orders += 1
        name = f"o{self._orders}"
        asked = command(side, qty, limit, name, symbol, **more)  # type: ignore[arg-type]
        last = self.prices.get(Symbol(symbol))
        asked_price, market = D(limit or 0), last or D(0)
        self.worst[name] = asked_price if side == "buy" and limit else max(asked_price, market)
        price = None if last is None else str(last)
        first, *_ = submit_all(self.books, asked, price, None, INSTRUMENTS[Symbol(symbol)])
        return first.order.reason_code or first.order.status

    def print(self, price: str, symbol: str = "SPY") -> Sequence[str]:
        """What it does to orders: their status, or why they ended."""
        changes = self.books.meet_print(Symbol(symbol), D(price), T0)
        self.prices[Symbol(symbol)] = D(price)
        orders = [change.order for change in changes if not isinstance(change, CashEntered)]
        return [order.reason_code or order.status for order in orders]

    def hold(self, side: str, qty: str, price: str = "100", symbol: str = "SPY") -> None:
        self.print(price, symbol)
        assert self.order(side, qty, symbol=symbol) == "accepted"
        assert self.print(price, symbol) == ["filled"]

    @property
    def figures(self) -> MarginFigures:
        found = self.books.margin.figures(T0)
        assert found is not None
        return found

    def move(self, kind: CashKind, amount: str) -> Refused | CashEntered:
        return self.books.move_cash(
            MoveCash(
                request_id="r",
                reply_to="c",
                account_id=ACCOUNT,
                mode="paper",
                client_entry_id="e",
                submitted_by="user:1",
                kind=kind,
                amount=D(amount),
                currency="USD",
                reason="why",
                transfer_id=transfer_id_of(ACCOUNT, "paper", "e") if kind == "transfer" else None,
                counterpart_id=AccountId(SOMEBODY) if kind == "transfer" else None,
            ),
            T0,
        )


SOMEBODY = transfer_id_of(ACCOUNT, "paper", "another account")


# --- terms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"initial_percent": "9.99"},
        {"initial_percent": "100.01"},
        {"initial_percent": "NaN"},
        {"maintenance_long_percent": "4"},
        {"maintenance_short_percent": "50.5"},
        {"interest_bps": "-1"},
        {"interest_bps": "1001"},
        {"leverage": "4"},
    ],
)
def test_terms_out_of_bounds_are_no_terms(document: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, MarginTerms)


def test_of_a_cash_account_there_are_no_figures() -> None:
    assert Account(margin=None).books.margin.figures(T0) is None


# --- buying power ----------------------------------------------------------------------------


def test_the_worked_example_of_a_long_position() -> None:
    account = Account()
    account.hold("buy", "120")
    figures = account.figures
    assert account.books.cash == D("-2000")
    assert (figures.equity, figures.initial_requirement) == (D(10000), D(6000))
    assert (figures.maintenance_requirement, figures.excess) == (D(3000), D(4000))
    assert (figures.buying_power, figures.use_percent) == (D(8000), D(60))
    account.print("75")
    assert account.figures.equity == D(7000)
    assert account.figures.maintenance_requirement == D(2250)


def test_the_worked_example_of_a_short_position() -> None:
    account = Account()
    account.hold("sell", "80")
    assert account.books.cash == D(18000)
    assert account.figures.excess == D(6000)
    account.print("110")
    figures = account.figures
    assert (figures.equity, figures.initial_requirement) == (D(9200), D(4400))
    assert figures.maintenance_requirement == D(2640)


def test_an_order_may_use_the_whole_buying_power_and_no_more() -> None:
    account = Account()
    account.print("100")
    assert account.order("buy", "201") == "insufficient_buying_power"
    assert account.order("sell", "201") == "insufficient_buying_power"
    assert account.order("buy", "200") == "accepted"
    assert account.figures.buying_power == 0
    assert account.order("buy", "1", "1") == "insufficient_buying_power"


def test_the_fee_of_an_order_is_required_with_it() -> None:
    account = Account(fee_bps="100")
    account.print("100")
    assert account.order("buy", "200") == "insufficient_buying_power"
    assert account.order("buy", "194") == "accepted"


def test_a_working_order_requires_at_its_limit_and_gives_that_back() -> None:
    account = Account()
    account.print("100")
    assert account.order("buy", "100", "90") == "accepted"
    assert account.figures.order_requirement == D(4500)
    [order_id] = account.books.working
    account.books.cancel(order_id, T0)
    assert account.figures.excess == D(10000)


def test_buys_and_sells_that_can_not_both_open_require_the_larger_part() -> None:
    account = Account()
    account.print("100")
    assert account.order("buy", "150", "100") == "accepted"
    assert account.order("sell", "200", "100") == "accepted"
    assert account.figures.order_requirement == D(10000)


def test_what_a_part_has_filled_the_position_requires() -> None:
    account = Account()
    account.print("100")
    paper = msgspec.structs.replace(account.books.account.paper, participation_percent=D(50))
    account.books.account = msgspec.structs.replace(account.books.account, paper=paper)
    assert account.order("buy", "100", "100") == "accepted"
    account.books.meet_print(Symbol("SPY"), D(100), T0, D(60))
    figures = account.figures
    assert (figures.initial_requirement, figures.order_requirement) == (D(1500), D(3500))


def test_replacing_an_order_frees_what_the_old_one_required() -> None:
    account = Account()
    account.print("100")
    assert account.order("buy", "200", "100") == "accepted"
    [working] = account.books.working.values()
    for qty, taken in (("201", "rejected"), ("199", "accepted")):
        asked = ReplaceOrder(
            request_id="r",
            reply_to="c",
            account_id=ACCOUNT,
            mode="paper",
            order_id=working.order.id,
            client_order_id=f"n{qty}",
            submitted_by="user:1",
            qty=D(qty),
        )
        changes = account.books.replace(working, asked, SPY, D(100), T0, "1-0")
        assert not isinstance(changes, Refused)
        assert changes[-1].order.status == taken
    assert account.figures.order_requirement == D(9950)


# --- what reduces ----------------------------------------------------------------------------


def test_what_reduces_a_position_passes_below_every_requirement() -> None:
    account = Account()
    account.hold("buy", "200")
    account.print("40")
    assert account.figures.equity < 0
    assert account.order("buy", "1") == "insufficient_buying_power"
    assert account.order("sell", "200") == "accepted"
    assert account.order("sell", "1") == "insufficient_buying_power"
    assert account.print("30") == ["filled"]
    assert account.books.cash == D(-4000)


def test_a_sell_through_zero_requires_for_its_short_part() -> None:
    account = Account()
    account.hold("buy", "100")
    assert account.order("sell", "301") == "insufficient_buying_power"
    assert account.order("sell", "300") == "accepted"
    assert account.figures.excess == 0
    assert account.print("100") == ["filled"]
    assert account.books.holdings[Symbol("SPY")].qty == -200
    assert account.figures.excess == 0


def test_a_buy_that_covers_and_goes_on_requires_for_its_long_part() -> None:
    account = Account()
    account.hold("sell", "100")
    assert account.order("buy", "301") == "insufficient_buying_power"
    assert account.order("buy", "300") == "accepted"


def test_of_orders_that_reduce_together_only_what_is_beyond_the_position_requires() -> None:
    account = Account()
    account.hold("buy", "100")
    assert account.order("sell", "60", "110") == "accepted"
    assert account.order("sell", "40", "120") == "accepted"
    assert account.figures.order_requirement == 0
    assert account.order("sell", "10", "130") == "accepted"
    # Less than the position, which they would have closed before.
    assert account.figures.order_requirement == 0
    assert account.order("sell", "140", "130") == "accepted"
    assert account.figures.order_requirement == 150 * 130 // 2 - 5000


def test_exits_of_a_group_require_nothing_beyond_their_entry() -> None:
    account = Account()
    account.print("100")
    taken = account.order(
        "buy",
        "200",
        "100",
        order_class="bracket",
        take_profit=TakeProfit(limit_price=D(120)),
        stop_loss=StopLoss(stop_price=D(90)),
    )
    assert taken == "accepted"
    assert account.figures.order_requirement == D(10000)
    account.print("100")
    figures = account.figures
    assert (figures.initial_requirement, figures.order_requirement) == (D(10000), 0)
    assert account.print("120")[0] == "filled"
    assert account.books.cash == D(14000)


def test_exits_never_open_a_position() -> None:
    account = Account()
    account.print("100")
    exits = {
        "order_class": "oco",
        "take_profit": TakeProfit(limit_price=D(120)),
        "stop_loss": StopLoss(stop_price=D(90)),
        "order_type": "limit",
    }
    assert account.order("sell", "10", **exits) == "insufficient_position"
    account.hold("sell", "10")
    exits |= {
        "take_profit": TakeProfit(limit_price=D(80)),
        "stop_loss": StopLoss(stop_price=D(110)),
    }
    assert account.order("buy", "10", **exits) == "accepted"
    assert account.order("buy", "1", **exits) == "insufficient_position"
    # What the exits will cover isn't there a second time, and their pair counts once.
    assert account.figures.order_requirement == 0


# --- short -----------------------------------------------------------------------------------


def test_a_cash_account_sells_nothing_short() -> None:
    account = Account(margin=None)
    account.print("100")
    assert account.order("sell", "1") == "insufficient_position"


def test_what_can_not_be_borrowed_is_sold_up_to_the_position() -> None:
    account = Account()
    account.print("100", "HARD")
    assert account.order("sell", "1", symbol="HARD") == "not_shortable"
    account.hold("buy", "10", symbol="HARD")
    assert account.order("sell", "11", symbol="HARD") == "not_shortable"
    assert account.order("sell", "10", symbol="HARD") == "accepted"
    assert account.order("sell", "1", symbol="HARD") == "not_shortable"


def test_an_amount_that_comes_to_more_than_the_position_is_not_sold_short() -> None:
    account = Account()
    account.hold("buy", "10", symbol="HARD")
    assert account.order("sell", "0", symbol="HARD", notional=D(1000)) == "accepted"
    assert account.print("90", "HARD") == ["not_shortable"]
    assert account.books.holdings[Symbol("HARD")].qty == 10


def test_a_short_position_is_closed_by_a_buy() -> None:
    account = Account()
    account.hold("sell", "100")
    asked = ClosePositions(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id="close",
        submitted_by="user:1",
        symbol=Symbol("SPY"),
        percent=D(50),
    )
    closed = account.books.close(Symbol("SPY"), asked, SPY, D(100), T0, "1-0")
    assert not isinstance(closed, Refused)
    assert (closed[-1].order.side, closed[-1].order.qty) == ("buy", 50)
    again = msgspec.structs.replace(asked, client_order_id="again", percent=D(100))
    rejected = account.books.close(Symbol("SPY"), again, SPY, D(100), T0, "1-0")
    assert not isinstance(rejected, Refused)
    assert rejected[-1].order.reason_code == "insufficient_position"
    account.print("90")
    assert account.books.holdings[Symbol("SPY")].qty == -50
    assert account.books.cash == D(10000 + 10000 - 4500)


# --- fills -----------------------------------------------------------------------------------


def test_a_fill_far_above_the_price_of_the_order_is_cancelled_when_equity_is_short() -> None:
    account = Account()
    account.print("100")
    assert account.order("buy", "200") == "accepted"
    assert account.print("101") == ["insufficient_buying_power"]
    assert account.books.cash == D(10000)


def test_a_loss_elsewhere_cancels_a_fill_that_opens_and_not_one_that_reduces() -> None:
    account = Account()
    account.hold("buy", "100")
    account.print("100", "QQQ")
    assert account.order("sell", "100", "80") == "accepted"
    assert account.order("buy", "90", symbol="QQQ") == "accepted"
    account.prices[Symbol("SPY")] = D(40)
    assert account.print("100", "QQQ") == ["insufficient_buying_power"]
    assert account.print("80") == ["filled"]


# --- cash ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["withdrawal", "transfer"])
def test_an_owner_takes_out_what_nothing_requires(kind: CashKind) -> None:
    account = Account()
    account.hold("buy", "120")
    assert account.order("buy", "20", "100") == "accepted"
    refused = account.move(kind, "-3000.01")
    assert isinstance(refused, Refused)
    assert (refused.code, refused.limit) == ("insufficient_cash", "3000")
    assert isinstance(account.move(kind, "-3000"), CashEntered)
    assert account.figures.excess == 0


def test_proceeds_of_a_short_sale_are_not_taken_out() -> None:
    account = Account()
    account.hold("sell", "200")
    assert account.books.cash == D(30000)
    assert isinstance(account.move("withdrawal", "-0.01"), Refused)


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
