"""Parts of positions go from one owner to another: with their price, without cash."""

from collections import Counter
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from order_processor.verification.rebuild import Converted, Executed, Rebuilt, units
from shared.models.conversions import ConvertPosition
from shared.trading.books import Books
from shared.trading.changes import PositionMoved
from shared.trading.positions import Holding
from shared.trading.terms import Refused
from tests.shared.trading.groups import bracket, oco
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
from tests.shared.trading.test_corporate_actions import (
    MARGIN,
    fill,
    holding_told,
    position_told,
)

D = Decimal
ON_MARGIN = msgspec.structs.replace(terms(capital="1000000"), margin=MARGIN)
A, B = UUID(int=101), UUID(int=102)


def convert(
    books: Books, qty: str, giver: UUID | None, taker: UUID | None
) -> PositionMoved | Refused:
    command = ConvertPosition(
        request_id="r",
        reply_to="c",
        account_id=ACCOUNT,
        mode="paper",
        client_conversion_id="x",
        submitted_by="user:1",
        symbol=SPY.symbol,
        from_deployment_id=giver,
        to_deployment_id=taker,
        qty=D(qty),
    )
    return books.convert_position(command, SPY.lot_size, at(2))


def owned(books: Books) -> dict[UUID | None, tuple[Decimal, Decimal, Decimal]]:
    return {
        owner: (each.qty, each.cost, each.realized_pnl) for owner, each in books.strategy_holdings
    }


def test_a_part_goes_at_its_average_price_and_cash_lots_and_the_position_stay() -> None:
    books = open_books()
    fill(books, "buy", "30", "100", "a")
    fill(books, "buy", "10", "120", "b", deployment_id=A)
    cash, lots = books.cash, list(books.open_lots(SPY.symbol))
    moved = convert(books, "20", None, A)
    assert isinstance(moved, PositionMoved)
    assert (moved.conversion.qty, moved.conversion.cost) == (D(20), D(2000))
    assert owned(books) == {None: (D(10), D(1000), D(0)), A: (D(30), D(3200), D(0))}
    assert (books.cash, list(books.open_lots(SPY.symbol))) == (cash, lots)
    net = books.holdings[SPY.symbol]
    assert (net.qty, net.cost) == (D(40), D(4200))
    # What it took is sold as its own.
    sold = fill(books, "sell", "30", "110", "c", deployment_id=A)
    assert sold.strategy_holding.realized_pnl == 100


def test_against_a_position_on_the_other_side_it_closes_that_with_its_profit() -> None:
    books = open_books(ON_MARGIN)
    fill(books, "buy", "10", "100", "a", deployment_id=A)
    fill(books, "sell", "4", "130", "b", deployment_id=B)
    assert isinstance(convert(books, "10", A, B), PositionMoved)
    # Bought back at 100 what was sold at 130.
    assert owned(books) == {A: (D(0), D(0), D(0)), B: (D(6), D(600), D(120))}


@pytest.mark.parametrize(
    ("qty", "giver", "taker", "code"),
    [
        ("5", None, None, "same_owner"),
        ("0", None, A, "invalid_qty"),
        ("-1", None, A, "invalid_qty"),
        ("NaN", None, A, "invalid_qty"),
        ("Infinity", None, A, "invalid_qty"),
        ("5", A, B, "position_not_open"),
        ("30.1", None, A, "qty_exceeds_position"),
        ("1.5", None, A, "qty_not_in_lots"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    qty: str, giver: UUID | None, taker: UUID | None, code: str
) -> None:
    books = open_books()
    fill(books, "buy", "30", "100", "a")
    before = (owned(books), books.holdings[SPY.symbol])
    refused = convert(books, qty, giver, taker)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert (owned(books), books.holdings[SPY.symbol]) == before


def refused_for_exits(refused: PositionMoved | Refused) -> tuple[str | None, str | None]:
    assert isinstance(refused, Refused)
    assert refused.code == "exits_working"
    return refused.limit, refused.observed


def test_what_the_givers_exits_are_to_close_stays_its_own_until_they_end() -> None:
    books = open_books()
    fill(books, "buy", "30", "100", "a", deployment_id=A)
    fill(books, "buy", "10", "100", "b", deployment_id=B)
    fill(books, "buy", "10", "100", "c")
    stop = submit(
        books, command("sell", "20", name="s", order_type="stop", stop_price="90", deployment_id=A)
    ).order
    submit(books, command("sell", "4", limit="150", name="h"))
    before = (owned(books), books.holdings[SPY.symbol])
    assert refused_for_exits(convert(books, "11", A, None)) == ("10", "11")
    assert refused_for_exits(convert(books, "7", None, A)) == ("6", "7")
    assert (owned(books), books.holdings[SPY.symbol]) == before
    assert isinstance(convert(books, "10", A, None), PositionMoved)
    assert isinstance(convert(books, "10", B, None), PositionMoved), "those exits are not its own"
    assert refused_for_exits(convert(books, "1", A, None)) == ("0", "1")
    books.cancel(stop.id, at(3))
    assert isinstance(convert(books, "20", A, None), PositionMoved)


def test_of_a_short_position_its_covers_stay() -> None:
    books = open_books(ON_MARGIN)
    fill(books, "sell", "30", "100", "a", deployment_id=A)
    submit(
        books, command("buy", "20", name="s", order_type="stop", stop_price="120", deployment_id=A)
    )
    submit(books, command("sell", "5", limit="200", name="t", deployment_id=A))
    assert refused_for_exits(convert(books, "11", A, B)) == ("10", "11")
    assert isinstance(convert(books, "10", A, B), PositionMoved)


def test_a_receivers_exits_of_what_it_would_close_forbid_it_too() -> None:
    books = open_books(ON_MARGIN)
    fill(books, "buy", "30", "100", "a")
    fill(books, "sell", "10", "100", "b", deployment_id=A)
    submit(
        books, command("buy", "8", name="s", order_type="stop", stop_price="120", deployment_id=A)
    )
    assert refused_for_exits(convert(books, "3", None, A)) == ("2", "3")
    assert isinstance(convert(books, "2", None, A), PositionMoved)


def test_exits_of_a_group_count_once_and_held_ones_not_at_all() -> None:
    books = open_books(ON_MARGIN)
    fill(books, "buy", "30", "100", "a", deployment_id=A)
    submit_all(books, oco("10", deployment_id=A))
    submit_all(books, bracket("buy", "5", "80", "110", "70", name="e", deployment_id=A))
    assert refused_for_exits(convert(books, "21", A, B)) == ("20", "21")
    assert isinstance(convert(books, "20", A, B), PositionMoved)


OWNERS = (None, A, B)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell", "convert", "rest_buy", "rest_sell"]),
            st.integers(1, 40),
            st.integers(100, 9_999),
            st.sampled_from(OWNERS),
            st.sampled_from(OWNERS),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_owners_have_what_whole_numbers_leave_them(
    steps: list[tuple[str, int, int, UUID | None, UUID | None]],
) -> None:
    books = open_books(ON_MARGIN)
    rebuilt, executed, converted = Rebuilt(), [], []
    plain: Counter[UUID | None] = Counter()
    resting: Counter[tuple[UUID | None, str]] = Counter()
    for number, (what, qty, cents, owner, taker) in enumerate(steps):
        if what == "convert":
            moved = convert(books, str(qty), owner, taker)
            fault = _fault_of(plain, resting, qty, owner, taker)
            assert (moved.code if isinstance(moved, Refused) else None) == fault
            if isinstance(moved, PositionMoved):
                each = moved.conversion
                plain[owner] -= int(each.qty)
                plain[taker] += int(each.qty)
                converted.append(
                    Converted("SPY", len(executed), _name(owner), _name(taker), units(each.qty))
                )
            continue
        if what.startswith("rest_"):  # where no print comes
            side = what.removeprefix("rest_")
            limit = "0.01" if side == "buy" else "100"
            rested = command(side, str(qty), limit, name=f"n{number}", deployment_id=owner)
            assert submit(books, rested, last="99").opened is not None
            resting[owner, side] += qty
            continue
        price = str(D(cents).scaleb(-2))
        made = fill(books, what, str(qty), price, f"n{number}", deployment_id=owner).execution
        signed = made.qty if what == "buy" else -made.qty
        plain[owner] += int(signed)
        executed.append(
            Executed(
                str(made.id),
                "SPY",
                _name(owner),
                units(signed),
                units(made.price),
                units(made.fee),
                units(made.realized_pnl),
            )
        )
    rebuilt.take(executed, converted)
    assert not rebuilt.wrong_profits
    held = {_name(owner): each for owner, each in books.strategy_holdings}
    assert {name: holding_told(each) for name, each in held.items()} == {
        name: position_told(each) for (_, name), each in rebuilt.owned.items()
    }
    net = books.holdings.get(SPY.symbol, Holding(SPY.symbol))
    assert sum((each.qty for each in held.values()), D(0)) == net.qty
    profits = sum((each.realized_pnl - each.cost for each in held.values()), D(0))
    assert profits == net.realized_pnl - net.cost


def _fault_of(
    held: Counter[UUID | None],
    resting: Counter[tuple[UUID | None, str]],
    qty: int,
    giver: UUID | None,
    taker: UUID | None,
) -> str | None:
    if giver == taker:
        return "same_owner"
    if not held[giver]:
        return "position_not_open"
    if qty > abs(held[giver]):
        return "qty_exceeds_position"
    for owner in (giver, taker):
        loses = owner == giver or held[giver] * held[owner] < 0
        exits = resting[owner, "sell" if held[owner] > 0 else "buy"]
        if loses and exits and qty + exits > abs(held[owner]):
            return "exits_working"
    return None


def _name(owner: UUID | None) -> str:
    return "manual" if owner is None else str(owner)
