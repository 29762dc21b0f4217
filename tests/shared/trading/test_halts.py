"""Halted trading: nothing fills, what can't wait ends, and the first print after it opens."""

from decimal import Decimal

from shared.models.identifiers import Symbol
from shared.trading.halts import Halts
from shared.trading.paper_terms import FREE
from tests.shared.trading.support import SPY, at, command, open_books, submit, terms
from tests.shared.trading.test_quotes import fills

D = Decimal
SYMBOL = SPY.symbol


def test_a_symbol_reopens_once_with_the_first_print_after_the_resumption() -> None:
    halts = Halts({})
    other = Symbol("OTHER")
    assert not halts.take(SYMBOL, halted=False)
    assert halts.take(SYMBOL, halted=True)
    assert not halts.take(SYMBOL, halted=True)
    assert (halts.is_halted(SYMBOL), halts.reopens(SYMBOL)) == (True, False)
    assert halts.take(SYMBOL, halted=False)
    assert (halts.is_halted(SYMBOL), halts.holds_quotes(SYMBOL)) == (False, True)
    assert (halts.reopens(SYMBOL), halts.reopens(SYMBOL)) == (True, False)
    assert not halts.holds_quotes(SYMBOL)
    assert not halts.is_halted(other)


def test_what_can_not_wait_ends_and_the_rest_works_on() -> None:
    books = open_books(terms(paper=FREE))
    submit(books, command("buy", "1", "101", name="ioc", time_in_force="ioc"))
    submit(books, command("buy", "1", "101", name="fok", time_in_force="fok"))
    submit(books, command("buy", "1", "99", name="limit"))
    submit(books, command("buy", "1", name="market"))
    ended = books.halt(SYMBOL, at(1))
    assert [(each.order.client_order_id, each.order.reason_code) for each in ended] == [
        ("ioc", "trading_halted"),
        ("fok", "trading_halted"),
    ]
    assert len(books.working) == 2
    assert books.halt(Symbol("OTHER"), at(1)) == []


def test_an_order_that_fills_at_once_is_accepted_and_ended_in_one_step_during_a_halt() -> None:
    books = open_books(terms(paper=FREE))
    cash = books.free_cash
    for name, force in (("a", "ioc"), ("b", "gtc")):
        taken = books.submit(
            command("buy", "1", "101", name=name, time_in_force=force),
            SPY,
            D(100),
            at(1),
            "1-0",
            None,
        )
        assert isinstance(taken, list)
        (change,) = books.end_at_once(taken, at(1))
        steps = [each.to_status for each in change.transitions]
        if force == "ioc":
            assert steps == ["new", "accepted", "cancelled"]
            assert change.order.reason_code == "trading_halted"
            assert books.free_cash == cash
        else:
            assert steps == ["new", "accepted"]


def test_the_reopening_print_is_the_first_one_of_orders_that_rested() -> None:
    books = open_books(terms(paper=FREE))
    submit(books, command("buy", "1", "99"))
    assert fills(books.meet_print(SYMBOL, D(100), at(1))) == []
    books.halt(SYMBOL, at(2))
    books.reopen(SYMBOL)
    # It gets the opening's price and not its limit.
    assert fills(books.meet_print(SYMBOL, D(95), at(3))) == [(D(1), D(95))]
