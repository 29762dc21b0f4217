"""What margin accounts may hold, open and take out."""

import msgspec
import pytest

from shared.models.cash import CashKind
from shared.models.identifiers import Symbol
from shared.models.margin import MarginTerms
from shared.models.orders import ClosePositions, ReplaceOrder, StopLoss, TakeProfit
from shared.trading.changes import CashEntered
from shared.trading.terms import Refused
from tests.shared.trading.margin_account import Account, D
from tests.shared.trading.support import ACCOUNT, SPY, T0

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
