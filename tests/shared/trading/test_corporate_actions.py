"""Splits and dividends: positions, owners, lots, cash and working orders."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from order_processor.verification.rebuild import Executed, Happened, Position, Rebuilt, units
from shared.models.margin import MarginTerms
from shared.models.orders import (
    ProtectionStop,
    ProtectionTarget,
    ProtectPosition,
    StopLoss,
    TakeProfit,
)
from shared.trading.books import Books
from shared.trading.changes import ActionApplied, CashEntered, OrderChanged, OrderFilled
from shared.trading.corporate_actions import CorporateAction, Dividend, Split
from shared.trading.paper_terms import PaperTerms
from shared.trading.positions import Holding
from tests.shared.trading.support import (
    ACCOUNT,
    SPY,
    at,
    command,
    open_books,
    submit,
    submit_all,
    terms,
)

D = Decimal
EX = at(3600)
MARGIN = MarginTerms()


def split(new: int, old: int, lot: str = "1") -> CorporateAction:
    return CorporateAction(UUID(int=7), SPY.symbol, Split(new, old), EX, SPY.tick_size, D(lot))


def dividend(amount: str) -> CorporateAction:
    return CorporateAction(
        UUID(int=8), SPY.symbol, Dividend(D(amount)), EX, SPY.tick_size, SPY.lot_size
    )


def fill(books: Books, side: str, qty: str, price: str, name: str, **more: object) -> OrderFilled:
    submit(books, command(side, qty, name=name, **more), last=price)
    filled = [
        each
        for each in books.meet_print(SPY.symbol, D(price), at(1))
        if isinstance(each, OrderFilled)
    ]
    assert len(filled) == 1
    return filled[0]


def carry_out(
    books: Books, action: CorporateAction, last: str | None = None
) -> tuple[ActionApplied, list[CashEntered], dict[str, OrderChanged]]:
    assert books.corporate.concerned_by(action)
    applied, *rest = books.corporate.carry_out(action, None if last is None else D(last))
    assert isinstance(applied, ActionApplied)
    paid = [each for each in rest if isinstance(each, CashEntered)]
    orders = {each.order.client_order_id: each for each in rest if isinstance(each, OrderChanged)}
    return applied, paid, orders


# --- positions -----------------------------------------------------------------------------------


def test_a_split_multiplies_shares_and_keeps_what_they_cost() -> None:
    books = open_books()
    fill(books, "buy", "10", "100", "a")
    fill(books, "buy", "5", "110", "b")
    applied, paid, _ = carry_out(books, split(4, 1), "120")
    holding = books.holdings[SPY.symbol]
    assert (holding.qty, holding.cost, holding.realized_pnl) == (D(60), D(1550), D(0))
    assert (applied.qty_before, applied.qty_after, paid) == (D(15), D(60), [])
    assert [(lot.qty, lot.cost, lot.price) for lot in books.open_lots(SPY.symbol)] == [
        (D(40), D(1000), D(25)),
        (D(20), D(550), D("27.5")),
    ]


def test_what_a_reverse_split_leaves_of_a_share_is_paid_for_in_cash() -> None:
    books = open_books()
    fill(books, "buy", "25", "100", "a")
    cash = books.cash
    _, paid, _ = carry_out(books, split(1, 10), "120")
    holding = books.holdings[SPY.symbol]
    # Half a share of 1,200 is sold; it had cost 500.
    assert (holding.qty, holding.cost, holding.realized_pnl) == (D(2), D(2000), D(100))
    assert [(each.entry.kind, each.entry.amount) for each in paid] == [("cash_in_lieu", D(600))]
    assert books.cash == cash + 600
    assert paid[0].entry.client_entry_id == f"corporate {UUID(int=7)}"


def test_a_position_of_less_than_a_share_ends_with_all_that_it_cost() -> None:
    books = open_books()
    fill(books, "buy", "3", "100", "a")
    carry_out(books, split(1, 10))
    holding = books.holdings[SPY.symbol]
    # Without a market price it is paid for at its cost: neither profit nor loss.
    assert (holding.qty, holding.cost, holding.realized_pnl) == (D(0), D(0), D(0))
    assert books.cash == 10_000
    assert list(books.open_lots(SPY.symbol)) == []


def test_an_instrument_in_fractions_keeps_them() -> None:
    books = open_books()
    fill(books, "buy", "7", "100", "a")
    _, paid, _ = carry_out(books, split(3, 2, lot="0.5"), "100")
    assert (books.holdings[SPY.symbol].qty, paid) == (D("10.5"), [])


def test_a_short_position_buys_back_its_fraction_and_owes_dividends() -> None:
    books = open_books(msgspec.structs.replace(terms(capital="100000"), margin=MARGIN))
    fill(books, "sell", "5", "100", "a")
    _, paid, _ = carry_out(books, dividend("0.255"))
    assert [each.entry.amount for each in paid] == [D("-1.28")]
    _, paid, _ = carry_out(books, split(1, 2), "100")
    holding = books.holdings[SPY.symbol]
    assert (holding.qty, holding.cost, paid[0].entry.amount) == (D(-2), D(-400), D(-100))


def test_a_dividend_pays_each_share_held_before_the_session() -> None:
    books = open_books()
    fill(books, "buy", "30", "100", "a")
    _, paid, _ = carry_out(books, dividend("0.333"))
    assert [(each.entry.kind, each.entry.amount) for each in paid] == [("dividend", D("9.99"))]
    assert books.holdings[SPY.symbol].qty == 30


def test_a_position_that_was_traded_since_is_left_alone() -> None:
    books = open_books()
    fill(books, "buy", "10", "100", "a")
    late = msgspec.structs.replace(split(2, 1), effective_at=at(1))
    assert not books.corporate.concerned_by(late)
    assert not open_books().corporate.concerned_by(split(2, 1))


# --- orders --------------------------------------------------------------------------------------


def test_a_split_multiplies_orders_and_divides_their_prices_in_their_owners_favour() -> None:
    books = open_books()
    fill(books, "buy", "20", "100", "held")
    submit(books, command("buy", "10", "90.01", name="limit"))
    submit(books, command("sell", "7", "110.01", name="target"))
    submit(books, command("sell", "3", name="stop", order_type="stop", stop_price="80.01"))
    submit(
        books,
        command("sell", "4", name="trail", order_type="trailing_stop", trail_price="5.01"),
    )
    _, _, orders = carry_out(books, split(2, 1), "100")
    told = {
        name: (each.order.qty, each.order.limit_price, each.order.stop_price)
        for name, each in orders.items()
    }
    assert told == {
        "limit": (D(20), D("45.00"), None),
        "target": (D(14), D("55.01"), None),
        "stop": (D(6), None, D("40.00")),
        "trail": (D(8), None, D("47.49")),
    }
    assert orders["trail"].order.hwm == 50
    assert {each.order.status for each in orders.values()} == {"accepted"}
    # All of the position is for sale, and no more.
    assert books.free_qty(SPY.symbol) == D(40) - 14 - 6 - 8


def test_an_adjusted_order_fills_at_its_new_price_alone() -> None:
    books = open_books()
    submit(books, command("buy", "10", "90", name="limit"))
    carry_out(books, split(2, 1), "100")
    assert books.meet_print(SPY.symbol, D(50), at(3601)) == []
    [filled] = books.meet_print(SPY.symbol, D(44), at(3602))
    assert isinstance(filled, OrderFilled)
    assert (filled.execution.qty, filled.execution.price) == (D(20), D(45))
    assert not books.working
    assert books.free_cash == books.cash


def test_an_order_for_less_than_a_lot_ends() -> None:
    books = open_books()
    submit(books, command("buy", "5", "90", name="few"))
    _, _, orders = carry_out(books, split(1, 10))
    assert (orders["few"].order.status, orders["few"].order.reason_code) == (
        "cancelled",
        "corporate_action",
    )
    assert books.free_cash == books.cash


def test_an_order_that_had_filled_in_part_ends_with_the_split() -> None:
    books = open_books(terms(paper=PaperTerms(participation_percent=D(100))))
    submit(books, command("buy", "10", "90", name="part"))
    [filled] = books.meet_print(SPY.symbol, D(90), at(1), D(4))
    assert filled.order.status == "partially_filled"
    _, _, orders = carry_out(books, split(2, 1), "90")
    assert orders["part"].order.status == "cancelled"


def test_a_bracket_is_split_with_all_of_its_legs() -> None:
    books = open_books()
    bracket = command(
        "buy",
        "10",
        "90",
        name="entry",
        order_class="bracket",
        take_profit=TakeProfit(limit_price=D(120)),
        stop_loss=StopLoss(stop_price=D(80)),
    )
    submit_all(books, bracket)
    carry_out(books, split(2, 1), "100")
    by_role = {each.order.group_role: each.order for each in books.working.values()}
    assert {role: each.qty for role, each in by_role.items()} == dict.fromkeys(by_role, D(20))
    assert by_role["take_profit"].limit_price == 60
    assert by_role["stop_loss"].stop_price == 40
    entry, *exits = books.meet_print(SPY.symbol, D(44), at(3601))
    assert isinstance(entry, OrderFilled)
    assert [each.order.status for each in exits if isinstance(each, OrderChanged)] == [
        "accepted",
        "accepted",
    ]
    [sold, *_] = books.meet_print(SPY.symbol, D(39), at(3602))
    assert isinstance(sold, OrderFilled)
    assert sold.execution.qty == 20
    assert not books.working


def test_a_protection_follows_the_split_position() -> None:
    books = open_books()
    fill(books, "buy", "11", "100", "held")
    asked = ProtectPosition(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_order_id="guard",
        submitted_by="user:1",
        symbol=SPY.symbol,
        take_profit=ProtectionTarget(limit_price=D(130)),
        stop_loss=ProtectionStop(stop_price=D(90)),
    )
    books.protect(asked, SPY, D(100), at(2), "1-0")
    carry_out(books, split(1, 2), "100")
    guards = [each.order for each in books.working.values()]
    assert {(each.qty, each.limit_price, each.stop_price) for each in guards} == {
        (D(5), D(260), None),
        (D(5), None, D(180)),
    }


def test_a_dividend_lowers_what_lies_below_the_market_and_nothing_else() -> None:
    books = open_books()
    fill(books, "buy", "40", "100", "held")
    submit(books, command("buy", "5", "90", name="limit"))
    submit(books, command("buy", "5", "0.10", name="cheap"))
    submit(books, command("sell", "5", "110", name="target"))
    submit(books, command("sell", "5", name="stop", order_type="stop", stop_price="80"))
    submit(books, command("sell", "5", "79", name="both", order_type="stop_limit", stop_price="80"))
    submit(books, command("sell", "5", name="trail", order_type="trailing_stop", trail_price="5"))
    _, _, orders = carry_out(books, dividend("0.333"))
    told = {
        name: (each.order.status, each.order.limit_price, each.order.stop_price)
        for name, each in orders.items()
    }
    assert told == {
        "limit": ("accepted", D("89.66"), None),
        "cheap": ("cancelled", D("0.10"), None),
        "stop": ("accepted", None, D("79.66")),
        "both": ("accepted", D("78.66"), D("79.66")),
        "trail": ("accepted", None, D("94.66")),
    }


def test_an_order_that_came_with_the_new_session_is_left_as_it_is() -> None:
    books = open_books()
    fill(books, "buy", "10", "100", "held")
    late = command("sell", "1", "110", name="late")
    assert not isinstance(
        books.submit(late, SPY, D(100), EX + timedelta(seconds=1), "1", None), str
    )
    _, _, orders = carry_out(books, split(2, 1), "100")
    assert orders == {}


# --- against the naive model ---------------------------------------------------------------------

OWNERS = (None, UUID(int=101), UUID(int=102))


@settings(max_examples=60, deadline=None)
@given(
    trades=st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell"]),
            st.integers(1, 40),
            st.integers(100, 9_999),
            st.sampled_from(OWNERS),
        ),
        min_size=1,
        max_size=8,
    ),
    ratio=st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda each: each[0] != each[1]),
    lot=st.sampled_from(["1", "0.001"]),
    last=st.sampled_from([None, "33.37"]),
)
def test_a_split_leaves_what_whole_numbers_leave(
    trades: list[tuple[str, int, int, UUID | None]],
    ratio: tuple[int, int],
    lot: str,
    last: str | None,
) -> None:
    books = open_books(terms(capital="1000000"))
    rebuilt, executed = Rebuilt(), []

    def trade(number: int, side: str, qty: int, cents: int, owner: UUID | None) -> None:
        if side == "sell" and books.free_qty(SPY.symbol) < qty:
            side = "buy"
        price = str(D(cents).scaleb(-2))
        order = fill(books, side, str(qty), price, f"n{number}", deployment_id=owner).execution
        signed = order.qty if side == "buy" else -order.qty
        executed.append(
            Executed(
                str(order.id),
                "SPY",
                "manual" if owner is None else str(owner),
                units(signed),
                units(order.price),
                units(order.fee),
                units(order.realized_pnl),
            )
        )

    for number, each in enumerate(trades):
        trade(number, *each)
    before = books.cash
    applied, *_ = books.corporate.carry_out(
        split(*ratio, lot=lot), None if last is None else D(last)
    )
    assert isinstance(applied, ActionApplied)
    happened = []
    if applied.split is not None:
        happened = [
            Happened(
                "a", "SPY", len(executed), *ratio, 0, units(D(lot)), units(applied.split.price)
            )
        ]
    in_cash = books.cash - before
    trade(99, "sell", 1, 5_000, OWNERS[1])
    rebuilt.take(executed, happened)
    assert not rebuilt.wrong_profits
    assert rebuilt.paid.get("a", 0) == units(in_cash)
    net = books.holdings[SPY.symbol]
    assert position_told(rebuilt.positions["SPY"]) == holding_told(net)
    owned = {
        ("SPY", "manual" if owner is None else str(owner)): holding_told(holding)
        for owner, holding in books.strategy_holdings
    }
    assert {key: position_told(each) for key, each in rebuilt.owned.items()} == owned
    lots = {lot.seq: units(lot.qty) for lot in books.open_lots(SPY.symbol)}
    assert {seq: qty for seq, (_, qty) in rebuilt.lots.items() if qty} == lots
    assert sum(lots.values()) == units(net.qty)


def holding_told(holding: Holding) -> tuple[int, int, int]:
    return units(holding.qty), units(holding.cost), units(holding.realized_pnl)


def position_told(position: Position) -> tuple[int, int, int]:
    return position.qty, position.cost, position.realized
