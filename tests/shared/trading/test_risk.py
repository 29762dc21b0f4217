"""The policy of the risk ladder, on one set of books."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.models.cash import MoveCash
from shared.models.identifiers import Symbol
from shared.models.orders import ClosePositions, ReplaceOrder, SubmitOrder
from shared.models.risk import DeploymentLoss, Latch, SessionLoss
from shared.trading.books import Books, BooksState
from shared.trading.changes import OrderChanged
from shared.trading.losses import Reached, loss, reached, reached_by_deployments
from shared.trading.risk import Bound, Halt, Ladder, Level, RiskLimits, tightest
from shared.trading.terms import Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, at, command, terms

DEPLOYMENT = UUID(int=7)
PRICES = {Symbol("SPY"): Decimal(100), Symbol("IBM"): Decimal(50)}
LATCH = Latch(at=T0, by="risk", reason="Too much lost.", flatten=False)


def limits(**given: Any) -> RiskLimits:
    exact = {"max_order_value", "max_position_value", "max_gross_exposure", "price_collar_percent"}
    exact |= {"max_loss", "max_session_loss"}
    return RiskLimits(
        **{name: Decimal(value) if name in exact else value for name, value in given.items()}
    )


def books_with(*levels: tuple[Level, RiskLimits], deployment: RiskLimits | None = None) -> Books:
    books = Books(terms("100000"), "paper", Limits(), BooksState(), PRICES.get)
    books.open(T0)
    own = {} if deployment is None else {DEPLOYMENT: tightest([("deployment", deployment)])}
    losses = frozenset(own) if deployment is not None and deployment.max_loss else frozenset()
    books.risk.ladder = Ladder(tightest(levels), own, losses)
    return books


def answer(books: Books, order: SubmitOrder, seconds: int = 0) -> str:
    """`accepted`, or the code that says why not."""
    price = PRICES[order.symbol]
    instrument = msgspec.structs.replace(SPY, symbol=order.symbol)
    taken = books.submit(order, instrument, price, at(seconds), "1-0", None)
    if isinstance(taken, Refused):
        return taken.code
    return taken[0].order.reason_code or taken[0].order.status


def hold(books: Books, qty: str = "10", symbol: str = "SPY") -> None:
    """Bought before there were limits."""
    ladder, books.risk.ladder = books.risk.ladder, Ladder()
    assert answer(books, command("buy", qty, name=f"held {symbol}", symbol=symbol)) == "accepted"
    books.meet_print(Symbol(symbol), PRICES[Symbol(symbol)], T0)
    books.risk.ladder = ladder


@pytest.mark.parametrize(
    ("limit", "within", "beyond", "code"),
    [
        ({"max_order_value": "1000"}, ("10", "100"), ("11", "100"), "risk_order_value"),
        ({"max_order_value": "1000"}, ("10", None), ("11", None), "risk_order_value"),
        ({"max_position_value": "2000"}, ("10", "100"), ("11", "100"), "risk_position_value"),
        ({"max_gross_exposure": "2000"}, ("10", "100"), ("11", "100"), "risk_gross_exposure"),
        ({"max_open_orders": 0}, None, ("1", "100"), "risk_open_orders"),
        ({"price_collar_percent": "5"}, ("1", "105"), ("1", "105.01"), "risk_price_collar"),
        ({"price_collar_percent": "5"}, ("1", "10"), ("1", "106"), "risk_price_collar"),
        ({"blocked_symbols": frozenset({"SPY"})}, None, ("1", "90"), "risk_symbol"),
        ({"allowed_symbols": frozenset({"IBM"})}, None, ("1", "90"), "risk_symbol"),
    ],
)
def test_a_limit_is_reached_but_not_passed(
    limit: dict[str, Any],
    within: tuple[str, str | None] | None,
    beyond: tuple[str, str | None],
    code: str,
) -> None:
    books = books_with(("account", limits(**limit)))
    hold(books)
    assert answer(books, command("buy", *beyond, name="beyond")) == code
    if within is not None:
        assert answer(books, command("buy", *within, name="within")) == "accepted"


def test_a_denial_names_the_level_the_limit_and_what_it_saw() -> None:
    books = books_with(
        ("platform", limits(max_order_value="5000")), ("user", limits(max_order_value="1000"))
    )
    refused = books.risk.obstacle_to(command("buy", "20", "100"), Decimal(100))
    assert refused is not None
    assert (refused.level, refused.limit, refused.observed) == ("user", "1000", "2000")


def test_the_tightest_level_holds_and_of_equals_the_upper_one() -> None:
    bounds = tightest(
        [
            ("platform", limits(max_order_value="500", max_open_orders=3)),
            ("user", limits(max_order_value="900")),
            ("account", limits(max_order_value="500", max_open_orders=2)),
        ]
    )
    assert bounds.order_value is not None
    assert bounds.open_orders is not None
    assert (bounds.order_value.level, bounds.open_orders.level) == ("platform", "account")


def test_a_deployments_limits_hold_for_its_own_orders_alone() -> None:
    own = limits(max_order_value="500", max_open_orders=1)
    books = books_with(deployment=own)
    mine: dict[str, Any] = {"deployment_id": DEPLOYMENT}
    assert answer(books, command("buy", "6", "100", name="a")) == "accepted"
    assert answer(books, command("buy", "6", "100", name="b", **mine)) == "risk_order_value"
    assert answer(books, command("buy", "5", "90", name="c", **mine)) == "accepted"
    assert answer(books, command("buy", "1", "90", name="d", **mine)) == "risk_open_orders"


def test_what_reduces_a_position_is_held_up_by_no_limit_of_size() -> None:
    tight = limits(
        max_order_value="1",
        max_position_value="1",
        max_gross_exposure="1",
        max_open_orders=0,
        allowed_symbols=frozenset(),
    )
    books = books_with(("platform", tight))
    hold(books)
    assert answer(books, command("sell", "6", "101", name="a")) == "accepted"
    assert answer(books, command("sell", "4", name="b")) == "accepted"
    # Nothing is left for it to reduce.
    assert answer(books, command("sell", "1", name="c")) == "risk_symbol"


def test_the_price_collar_holds_for_what_reduces_too() -> None:
    books = books_with(("account", limits(price_collar_percent="5")))
    hold(books)
    assert answer(books, command("sell", "1", "94.99", name="a")) == "risk_price_collar"
    assert answer(books, command("sell", "1", "95", name="b")) == "accepted"


@pytest.mark.parametrize("kind", ["max_orders_per_second", "max_orders_per_minute"])
def test_the_rate_counts_orders_that_came_and_refuses_without_storing(kind: str) -> None:
    books = books_with(("account", limits(**{kind: 2})))
    period = 1 if kind.endswith("second") else 60
    for name in "ab":
        assert answer(books, command("buy", "1", "1", name=name)) == "accepted"
    assert answer(books, command("buy", "1", "1", name="c"), period - 1) == "risk_order_rate"
    # What was refused doesn't count, so it passes as soon as the first two are old.
    assert answer(books, command("buy", "1", "1", name="c"), period) == "accepted"
    assert answer(books, command("buy", "1", "1", name="d"), period) == "accepted"
    assert answer(books, command("buy", "1", "1", name="e"), period) == "risk_order_rate"


def test_the_rate_begins_anew_when_market_time_goes_back() -> None:
    books = books_with(("account", limits(max_orders_per_minute=1)))
    assert answer(books, command("buy", "1", "1", name="a"), 1000) == "accepted"
    assert answer(books, command("buy", "1", "1", name="b"), 0) == "accepted"


def test_a_faulty_command_does_not_count_for_the_rate() -> None:
    books = books_with(("account", limits(max_orders_per_minute=1)))
    assert answer(books, command("buy", "0.5", "1", name="a")) == "qty_not_in_lots"
    assert answer(books, command("buy", "1", "1", name="b")) == "accepted"


def test_a_replacement_is_measured_without_the_order_that_it_replaces() -> None:
    books = books_with(("account", limits(max_gross_exposure="1100", max_open_orders=1)))
    assert answer(books, command("buy", "10", "100", name="a")) == "accepted"
    [working] = books.working.values()
    change = ReplaceOrder("r", "c", ACCOUNT, "paper", working.order.id, "b", "user:1", Decimal(11))
    replaced = books.replace(working, change, SPY, Decimal(100), T0, "1-0")
    assert not isinstance(replaced, Refused)
    assert replaced[-1].order.status == "accepted"
    more = msgspec.structs.replace(
        change, order_id=replaced[-1].order.id, client_order_id="c", qty=Decimal(12)
    )
    [working] = books.working.values()
    [rejected] = books.replace(working, more, SPY, Decimal(100), T0, "1-0")
    assert isinstance(rejected, OrderChanged)
    assert rejected.order.reason_code == "risk_gross_exposure"


def closing(books: Books) -> list[OrderChanged]:
    order = ClosePositions("r", "c", ACCOUNT, "paper", "flat", "user:1", Symbol("SPY"), True)
    closed = books.close(Symbol("SPY"), order, SPY, Decimal(100), T0, "1-0")
    assert not isinstance(closed, Refused)
    return closed


def test_the_loss_latch_lets_only_reducing_orders_pass() -> None:
    books = books_with()
    hold(books)
    books.risk.state = msgspec.structs.replace(books.risk.state, loss=LATCH)
    assert answer(books, command("buy", "1", "100", name="a")) == "loss_limit_latched"
    assert answer(books, command("buy", "1", name="b", symbol="IBM")) == "loss_limit_latched"
    assert answer(books, command("sell", "1", "101", name="c")) == "accepted"
    assert closing(books)[-1].order.status == "accepted"


@pytest.mark.parametrize("whose", ["account", "platform"])
def test_a_kill_switch_lets_nothing_pass_but_closing_positions(whose: str) -> None:
    books = books_with()
    hold(books)
    if whose == "account":
        books.risk.state = msgspec.structs.replace(books.risk.state, kill=LATCH)
    else:
        books.risk.halt = Halt(1, T0, "user:1", "Fire drill.", False)
    assert answer(books, command("buy", "1", "100", name="a")) == f"kill_switch_{whose}"
    assert answer(books, command("sell", "1", name="b")) == f"kill_switch_{whose}"
    assert closing(books)[-1].order.status == "accepted"


def test_the_loss_is_realised_and_unrealised_with_fees_since_the_reset() -> None:
    books = books_with(("account", limits(max_loss="100")))
    hold(books, "10")
    guard = books.risk
    guard.state = msgspec.structs.replace(guard.state, baseline=guard.profit())
    PRICES[Symbol("SPY")] = Decimal("90.01")
    try:
        assert reached(guard) is None
        PRICES[Symbol("SPY")] = Decimal(90)
        assert reached(guard) == Reached("max_loss", Bound(Decimal(100), "account"), Decimal(100))
        guard.state = msgspec.structs.replace(guard.state, baseline=guard.profit())
        assert reached(guard) is None
    finally:
        PRICES[Symbol("SPY")] = Decimal(100)


@pytest.fixture
def price() -> Iterator[Callable[[str], None]]:
    """Sets SPY's last price."""
    yield lambda value: PRICES.__setitem__(Symbol("SPY"), Decimal(value))
    PRICES[Symbol("SPY")] = Decimal(100)


def test_the_loss_of_a_session_counts_from_its_beginning_whatever_was_lost_before(
    price: Callable[[str], None],
) -> None:
    books = books_with(("user", limits(max_session_loss="50")))
    hold(books, "10")
    guard = books.risk
    price("80")
    assert reached(guard) is None, "no session has begun"
    begun = SessionLoss(T0.date(), "", guard.profit())
    guard.state = msgspec.structs.replace(guard.state, session=begun)
    price("75.01")
    assert reached(guard) is None
    price("75")
    found = reached(guard)
    assert found is not None
    assert (found.kind, found.bound.level, found.loss) == ("max_session_loss", "user", 50)


def test_a_deployment_loses_on_its_own_positions_since_its_start(
    price: Callable[[str], None],
) -> None:
    books = books_with(deployment=limits(max_loss="100"))
    mine: dict[str, Any] = {"deployment_id": DEPLOYMENT}
    assert answer(books, command("buy", "5", name="mine", **mine)) == "accepted"
    assert answer(books, command("buy", "50", name="by hand")) == "accepted"
    books.meet_print(Symbol("SPY"), Decimal(100), T0)
    price("80.01")
    assert list(reached_by_deployments(books.risk)) == []
    price("80")
    [(deployment, found)] = reached_by_deployments(books.risk)
    assert (deployment, found.loss, found.bound.level) == (DEPLOYMENT, 100, "deployment")
    latched = {DEPLOYMENT: DeploymentLoss(latch=LATCH)}
    books.risk.state = msgspec.structs.replace(books.risk.state, deployments=latched)
    assert list(reached_by_deployments(books.risk)) == []
    assert answer(books, command("buy", "1", name="a", **mine)) == "loss_limit_latched"
    assert answer(books, command("sell", "1", name="b", **mine)) == "accepted"
    assert answer(books, command("buy", "1", name="c")) == "accepted"
    acknowledged = {DEPLOYMENT: DeploymentLoss(baseline=Decimal(-100))}
    books.risk.state = msgspec.structs.replace(books.risk.state, deployments=acknowledged)
    assert list(reached_by_deployments(books.risk)) == []
    price("59")
    assert [each.loss for _, each in reached_by_deployments(books.risk)] == [105]


def test_cash_that_is_paid_in_or_taken_out_is_no_profit_and_no_loss() -> None:
    books = books_with(("account", limits(max_loss="500")))
    hold(books)
    baseline = books.risk.profit()
    books.risk.state = msgspec.structs.replace(books.risk.state, baseline=baseline)
    for number, (kind, amount) in enumerate(
        [("withdrawal", "-90000"), ("deposit", "50000"), ("adjustment", "-1000")]
    ):
        moved = books.move_cash(
            MoveCash(
                request_id="r",
                reply_to="c",
                account_id=ACCOUNT,
                mode="paper",
                client_entry_id=f"e{number}",
                submitted_by="user:1",
                kind=kind,  # type: ignore[arg-type]
                amount=Decimal(amount),
                currency="USD",
                reason="why",
            ),
            T0,
        )
        assert not isinstance(moved, Refused)
    assert loss(books.risk, books.risk.profit()) == 0
    assert reached(books.risk) is None
