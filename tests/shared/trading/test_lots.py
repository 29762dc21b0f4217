"""FIFO lots against a plain queue of single units, on random days and through zero."""

from collections import defaultdict, deque
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.identifiers import Symbol
from shared.trading.amounts import exactly, rounded_down, rounded_up
from shared.trading.lots import LotChanges, LotClosing, Lots
from tests.shared.trading.days import days
from tests.shared.trading.naive_books import LOT, NaiveTerms
from tests.shared.trading.support import T0, at
from tests.shared.trading.test_books_properties import play

D = Decimal
A = Symbol("A")


def fill(lots: Lots, number: int, qty: str, price: str) -> LotChanges:
    traded, each = D(qty), D(price)
    return lots.fill(A, traded, -traded * each, each, UUID(int=number), at(number))


def told(closing: LotClosing) -> tuple[Any, ...]:
    return closing.lot_seq, closing.qty, closing.proceeds - closing.cost


@pytest.mark.parametrize(
    ("fills", "closings", "left"),
    [
        # The oldest goes first, and a part of the next.
        ([("10", "100"), ("10", "110"), ("-15", "120")],
         [(1, 10, 200), (2, 5, 50)], [(2, 5, 550)]),
        # Through zero: what is left of the sell opens a short lot.
        ([("10", "100"), ("-15", "90")], [(1, 10, -100)], [(2, -5, -450)]),
        # A short one is bought back, and the rest is long.
        ([("-5", "90"), ("-5", "80"), ("12", "70")],
         [(1, -5, 100), (2, -5, 50)], [(3, 2, 140)]),
        ([("10", "100"), ("-10", "100"), ("1", "7")], [(1, 10, 0)], [(2, 1, 7)]),
    ],
)  # fmt: skip
def test_the_oldest_lot_is_closed_first(
    fills: list[tuple[str, str]], closings: list[Any], left: list[Any]
) -> None:
    lots = Lots((), 0)
    changes = [fill(lots, number, *each) for number, each in enumerate(fills, 1)]
    assert [told(each) for change in changes for each in change.closings] == closings
    assert [(lot.seq, lot.qty, lot.cost) for lot in lots.open(A)] == left


def test_a_closing_says_when_and_by_what_it_was_opened_and_closed() -> None:
    lots = Lots((), 7)
    [opened] = fill(lots, 1, "10", "100").lots
    assert (opened.seq, opened.opened_by, opened.opened_at) == (8, UUID(int=1), at(1))
    changes = fill(lots, 2, "-4", "101")
    [closing] = changes.closings
    assert (closing.closed_by, closing.opened_at, closing.closed_at) == (
        UUID(int=2),
        at(1),
        at(2),
    )
    assert (closing.cost, closing.proceeds, closing.realized_pnl) == (400, 404, 4)
    [rest] = changes.lots
    assert (rest.qty, rest.cost, rest.opened_qty) == (6, 600, 10)


@settings(max_examples=30, deadline=None)
@given(days)
def test_lots_of_a_day_agree_with_single_units_in_a_queue(
    day: tuple[NaiveTerms, list[tuple[Any, ...]]],
) -> None:
    played = play(*day)
    queues: dict[str, deque[Decimal]] = defaultdict(deque)
    profit = D(0)
    for done in played.fills:
        execution = done.execution
        for _ in range(int(execution.qty / LOT)):
            if execution.side == "buy":
                queues[execution.symbol].append(execution.price)
            else:
                profit += LOT * (execution.price - queues[execution.symbol].popleft())
    closings = [each for done in played.fills for each in done.lots.closings]
    assert sum((each.realized_pnl for each in closings), D(0)) == profit
    for symbol in ("A", "B"):
        lots = list(played.books.open_lots(Symbol(symbol)))
        assert sum((lot.qty for lot in lots), D(0)) == LOT * len(queues[symbol])
        assert sum((lot.cost for lot in lots), D(0)) == LOT * sum(queues[symbol])


fills = st.lists(
    st.tuples(st.integers(-500, 500).filter(bool), st.integers(1, 10**13)), max_size=25
)


@settings(max_examples=30, deadline=None)
@given(fills)
def test_no_digit_of_what_was_paid_and_brought_is_lost(trades: list[tuple[int, int]]) -> None:
    flows = profits = D(0)
    lots = Lots((), 0)

    @exactly
    def take(qty: Decimal, price: Decimal, number: int) -> tuple[Decimal, LotChanges]:
        flow = -rounded_up(qty * price) if qty > 0 else rounded_down(-qty * price)
        return flow, lots.fill(A, qty, flow, price, UUID(int=number), T0)

    held = D(0)
    for number, (qty, price) in enumerate(trades):
        flow, changes = take(
            D(qty) / 7 // D("0.001") * D("0.001") or D(1), D(price) / 10**7, number
        )
        flows += flow
        held += sum((lot.opened_qty for lot in changes.lots if lot.opened_by.int == number), D(0))
        held -= sum((closing.qty for closing in changes.closings), D(0))
        profits += sum((closing.realized_pnl for closing in changes.closings), D(0))
        assert flows == profits - sum((lot.cost for lot in lots.open(A)), D(0))
        assert held == sum((lot.qty for lot in lots.open(A)), D(0))
        # All that is open is on one side.
        assert len({lot.qty > 0 for lot in lots.open(A)}) <= 1
