"""Stories of an account in dollars that trades in euros too."""

from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.models.cash import ConvertCash, LedgerEntry, MoveCash, arriving_entry_id, transfer_id_of
from shared.models.identifiers import Symbol
from shared.models.margin import MarginTerms
from shared.trading.books import Books, BooksState, ForeignCash
from shared.trading.changes import CashEntered, OrderChanged, OrderFilled
from shared.trading.corporate_actions import CorporateAction, Dividend, Split
from shared.trading.exchange import Rate
from shared.trading.risk import Bound, Bounds, Ladder
from shared.trading.terms import Instrument, Limits, Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, at, command, submit, terms

D = Decimal
SAP = Instrument(Symbol("SAP"), "XETR", "EUR", D("0.01"), D(1), True)
BOTH = {SPY.symbol: SPY, SAP.symbol: SAP}


class World:
    """Books, with prices and rates that the test sets."""

    def __init__(
        self, capital: str = "10000", *, margin: bool = False, spread_bps: str = "0", **more: Any
    ) -> None:
        self.rates = {"EUR": Rate(D("1.10"), T0)}
        self.prices = {SPY.symbol: D(100), SAP.symbol: D(100)}
        self.limits = Limits(
            reserve_buffer_bps=D(0), fx_spread_bps=D(spread_bps), fx_rate_age_s=3600
        )
        self.account = terms(capital, **more)
        if margin:
            percents = MarginTerms(D(50), D(25), D(30), D(0))
            self.account = msgspec.structs.replace(self.account, margin=percents)
        self.books = self.opened(BooksState())
        self.entries: list[LedgerEntry] = []
        for change in self.books.open(T0):
            self._note(change)

    def opened(self, state: BooksState) -> Books:
        return Books(self.account, "paper", self.limits, state, self.prices.get, self._rate)

    def _rate(self, currency: str, base: str) -> Rate | None:
        assert base == "USD"
        return self.rates.get(currency)

    def _note(self, change: object) -> None:
        if isinstance(change, CashEntered):
            self.entries.append(change.entry)
        elif isinstance(change, OrderFilled):
            self.entries += change.entries

    def order(self, side: Any, qty: str, limit: str | None = None, **more: Any) -> OrderChanged:
        instrument = BOTH[Symbol(more.get("symbol", "SAP"))]
        order = command(side, qty, limit, **({"symbol": "SAP"} | more))
        return submit(self.books, order, str(self.prices[instrument.symbol]), None, instrument)

    def print(self, price: str, seconds: int = 1, symbol: str = "SAP") -> list[Any]:
        changes = self.books.meet_print(Symbol(symbol), D(price), at(seconds))
        for change in changes:
            self._note(change)
        return list(changes)

    def move(self, kind: Any, amount: str, currency: str = "EUR", **more: Any) -> Any:
        fields: dict[str, Any] = {"client_entry_id": f"{kind} {amount}"} | more
        moved = self.books.move_cash(
            MoveCash(
                request_id="r",
                reply_to="c",
                account_id=ACCOUNT,
                mode="paper",
                submitted_by="user:1",
                kind=kind,
                amount=D(amount),
                currency=currency,
                **fields,
            ),
            at(1),
        )
        self._note(moved)
        return moved

    def convert(self, amount: str, sold: str, bought: str) -> Any:
        converted = self.books.convert_cash(
            ConvertCash(
                request_id="r",
                reply_to="c",
                account_id=ACCOUNT,
                mode="paper",
                client_entry_id="c1",
                submitted_by="user:1",
                from_currency=sold,
                to_currency=bought,
                amount=D(amount),
            ),
            at(1),
        )
        for each in [] if isinstance(converted, Refused) else converted:
            self._note(each)
        return converted

    def told(self) -> list[tuple[str, Decimal, str, Decimal]]:
        return [(each.kind, each.amount, each.currency, each.balance) for each in self.entries[1:]]


def test_a_buy_takes_the_foreign_cash_that_is_there_and_buys_the_rest() -> None:
    world = World(fee_bps="10", spread_bps="100")
    world.move("deposit", "400")
    assert world.order("buy", "10").order.status == "accepted"
    [filled] = world.print("100")
    assert filled.execution.fx_rate == D("1.10")
    assert filled.execution.realized_pnl_base == 0
    # 601 euros at 1.10 and one per cent.
    assert world.told()[1:] == [
        ("fx", D("-667.7110"), "USD", D("10000") - D("667.7110")),
        ("fx", D(601), "EUR", D(1001)),
        ("fill", D(-1000), "EUR", D(1)),
        ("fee", D(-1), "EUR", D(0)),
    ]
    assert [each.rate for each in world.entries[2:]] == [D("1.111")] * 2 + [D("1.10")] * 2
    assert world.books.cash == D("9332.289")


def test_proceeds_stay_in_their_currency_and_the_profit_counts_at_the_rate_of_the_execution() -> (
    None
):
    world = World()
    world.order("buy", "10", name="in")
    world.print("100")
    world.rates["EUR"] = Rate(D("1.20"), at(2))
    world.order("sell", "10", name="out")
    [filled] = world.print("110", 3)
    assert (filled.execution.realized_pnl, filled.execution.realized_pnl_base) == (100, 120)
    assert filled.execution.fx_rate == D("1.20")
    assert world.told()[-1] == ("fill", D(1100), "EUR", D(1100))
    # 8,900 dollars and 1,100 euros at 1.20: of the 320, 120 are the trade's, 200 the rate's.
    assert world.books.valued({}) == (D(10_220), 0)
    assert world.books.risk.profit() == D(220)


@pytest.mark.parametrize(
    ("rate", "code"),
    [(None, "fx_rate_missing"), (Rate(D("1.10"), at(-3601)), "fx_rate_stale")],
)
@pytest.mark.parametrize("margin", [False, True])
def test_without_a_rate_of_its_time_a_buy_is_rejected_and_a_deposit_refused(
    rate: Rate | None, code: str, margin: bool
) -> None:
    world = World(margin=margin)
    if rate is None:
        del world.rates["EUR"]
    else:
        world.rates["EUR"] = rate
    rejected = world.order("buy", "1").order
    assert (rejected.status, rejected.reason_code) == ("rejected", code)
    for refused in (world.move("deposit", "1"), world.convert("1", "USD", "EUR")):
        assert refused.code == code
    assert world.told() == []
    assert world.books.free_cash == world.books.cash == 10_000


def test_what_must_be_bought_is_kept_of_the_accounts_currency_at_the_rate_of_the_moment() -> None:
    world = World("1100")
    world.move("deposit", "500")
    assert world.order("buy", "5", "100", name="own").order.status == "accepted"
    assert world.books.free_cash == 1100
    assert world.order("buy", "4", "100", name="bought").order.status == "accepted"
    assert world.books.free_cash == D(1100) - 440
    rejected = world.order("buy", "7", "100", name="more").order
    assert (rejected.status, rejected.reason_code) == ("rejected", "insufficient_buying_power")
    assert world.order("buy", "7", "100", name="at home", symbol="SPY").order.status == "rejected"
    refused = world.move("withdrawal", "-0.01")
    assert (refused.code, refused.limit) == ("insufficient_cash", "0")
    world.rates["EUR"] = Rate(D("2"), at(1))
    assert world.books.free_cash == D(1100) - 800
    world.books.cancel_all(None, at(2))
    assert world.books.free_cash == 1100


def test_a_fill_that_the_rate_has_made_too_dear_is_cancelled_instead() -> None:
    world = World("1100")
    world.order("buy", "10", "100")
    world.rates["EUR"] = Rate(D("1.11"), at(1))
    [ended] = world.print("100")
    assert (ended.order.status, ended.order.reason_code) == ("cancelled", "insufficient_cash")
    assert world.told() == []
    world.order("buy", "9", "100", name="b")
    world.rates.clear()
    [ended] = world.print("100", 2)
    assert (ended.order.status, ended.order.reason_code) == ("cancelled", "fx_rate_missing")


def test_a_position_can_be_left_when_its_rate_is_gone() -> None:
    world = World()
    world.order("buy", "10", name="in")
    world.print("100")
    world.rates.clear()
    assert world.order("sell", "10", name="out").order.status == "accepted"
    [filled] = world.print("100", 9_999)
    assert filled.execution.fx_rate == D("1.10")
    assert world.books.valued({}) == (D(10_000), 0)


@pytest.mark.parametrize(
    ("amount", "sold", "bought", "expected"),
    [
        ("111.10", "USD", "EUR", "100"),
        ("111.09", "USD", "EUR", "99.99"),
        ("100", "EUR", "USD", "108.90"),
        ("0.01", "USD", "EUR", "invalid_amount"),
        ("0", "USD", "EUR", "invalid_amount"),
        ("-1", "USD", "EUR", "invalid_amount"),
        ("NaN", "USD", "EUR", "invalid_amount"),
        ("0.001", "USD", "EUR", "invalid_amount"),
        ("1e13", "USD", "EUR", "invalid_amount"),
        ("1", "EUR", "EUR", "currency_mismatch"),
        ("1", "USD", "USD", "currency_mismatch"),
        ("1", "EUR", "GBP", "currency_mismatch"),
        ("1", "USD", "GBP", "fx_rate_missing"),
        ("500.01", "EUR", "USD", "insufficient_cash"),
        ("10000.01", "USD", "EUR", "insufficient_cash"),
    ],
)
def test_cash_is_converted_in_whole_cents_at_the_rate_and_the_spread(
    amount: str, sold: str, bought: str, expected: str
) -> None:
    world = World(spread_bps="100")
    world.move("deposit", "500")
    before = dict(world.books.foreign_cash), world.books.cash
    converted = world.convert(amount, sold, bought)
    if isinstance(converted, Refused):
        assert converted.code == expected
        assert (dict(world.books.foreign_cash), world.books.cash) == before
        return
    first, second = (each.entry for each in converted)
    assert (first.kind, first.amount, first.currency) == ("fx", -D(amount), sold)
    assert (second.kind, second.amount, second.currency) == ("fx", D(expected), bought)
    assert (first.client_entry_id, second.client_entry_id) == ("c1", "c1 bought")
    assert first.rate == second.rate


def test_what_has_left_another_account_arrives_at_its_rate_whatever_is_known_here() -> None:
    world = World()
    world.rates.clear()
    transfer = transfer_id_of(ACCOUNT, "paper", "t")
    arriving = {
        "client_entry_id": arriving_entry_id(transfer),
        "transfer_id": transfer,
        "counterpart_id": type(ACCOUNT)(int=9),
    }
    for wrong in (D(0), D("NaN"), D(-1)):
        assert world.move("transfer", "50", rate=wrong, **arriving).code == "invalid_entry"
    assert world.move("deposit", "50", rate=D(1)).code == "invalid_entry"
    world.move("transfer", "50", rate=D("1.3"), **arriving)
    assert world.books.valued({}) == (D(10_065), 0)
    assert world.books.risk.profit() == 0


def test_limits_count_in_the_accounts_currency() -> None:
    world = World()
    world.books.risk.ladder = Ladder(Bounds(order_value=Bound(D(1000), "account")), {})
    rejected = world.order("buy", "10", "99").order
    assert (rejected.status, rejected.reason_code) == ("rejected", "risk_order_value")
    assert world.order("buy", "10", "99", symbol="SPY", name="b").order.status == "accepted"
    world.books.risk.ladder = Ladder(Bounds(gross_exposure=Bound(D(1989), "account")), {})
    # 990 dollars are ordered already.
    rejected = world.order("buy", "9", "101", name="c").order
    assert (rejected.status, rejected.reason_code) == ("rejected", "risk_gross_exposure")
    assert world.order("buy", "9", "100", name="d").order.status == "accepted"
    assert world.books.risk.gross_exposure() == 1980


def test_a_margin_account_borrows_its_own_currency_and_requires_in_it() -> None:
    world = World(margin=True)
    world.order("buy", "150", name="in")
    world.print("100")
    assert world.books.cash == D(10_000) - D(16_500)
    assert (world.books.margin.equity(), world.books.margin.maintenance()) == (10_000, 4_125)
    rejected = world.order("buy", "32", "100", name="more").order
    assert (rejected.status, rejected.reason_code) == ("rejected", "insufficient_buying_power")
    assert world.order("buy", "31", "100", name="fits").order.status == "accepted"
    world.rates["EUR"] = Rate(D(1), at(1))
    assert world.books.margin.equity() == 8_500
    # What reduces fills with an old rate as well, and with none.
    world.rates.clear()
    world.order("sell", "150", name="out")
    [*_, filled] = world.print("100", 9_999)
    assert filled.order.status == "filled"
    assert world.books.foreign_cash == {"EUR": D(15_000)}


def test_a_short_position_abroad_is_bought_back_with_what_it_brought() -> None:
    world = World(margin=True)
    world.order("sell", "10", name="in")
    world.print("100")
    assert (world.books.cash, world.books.foreign_cash) == (10_000, {"EUR": 1000})
    world.order("buy", "10", name="out")
    world.print("120", 2)
    assert (world.books.cash, world.books.foreign_cash) == (10_000 - 220, {"EUR": 0})


def happen(world: World, action_terms: Dividend | Split, number: int) -> None:
    action = CorporateAction(UUID(int=number), SAP.symbol, action_terms, at(60), D("0.01"), D(1))
    for change in world.books.corporate.carry_out(action, D(100)):
        world._note(change)


def test_a_dividend_comes_in_the_currency_of_its_instrument() -> None:
    world = World()
    world.order("buy", "10")
    world.print("100")
    happen(world, Dividend(D("0.5")), 1)
    assert world.told()[-1] == ("dividend", D(5), "EUR", D(5))
    assert world.entries[-1].rate == D("1.10")
    # As at home, it is income: no profit of the trade.
    assert world.books.risk.profit() == 0
    assert world.books.valued({})[0] == D(10_000) + D("5.5")


def test_a_dividend_that_a_short_position_owes_is_bought() -> None:
    world = World(margin=True)
    world.order("sell", "10")
    world.print("100")
    world.convert("1000", "EUR", "USD")
    happen(world, Dividend(D("0.5")), 1)
    assert world.told()[-3:] == [
        ("fx", D("-5.50"), "USD", D(11_100) - D("5.5")),
        ("fx", D(5), "EUR", D(5)),
        ("dividend", D(-5), "EUR", D(0)),
    ]


def test_what_a_split_leaves_over_is_paid_for_in_the_currency_and_is_profit() -> None:
    world = World()
    world.order("buy", "5")
    world.print("100")
    happen(world, Split(1, 2), 1)
    kind, amount, currency, _ = world.told()[-1]
    assert (kind, amount, currency) == ("cash_in_lieu", 100, "EUR")
    worth, _ = world.books.valued({SAP.symbol: D(200)})
    assert worth == 10_000
    assert world.books.risk.profit() == world.opened(_stored(world, D(10_000))).risk.profit()


@pytest.mark.parametrize("seed", range(12))
def test_entries_always_add_up_and_books_that_are_opened_again_are_the_same(seed: int) -> None:
    random = Random(seed)
    world = World("5000", margin=seed % 3 == 0, fee_bps="7", slippage_bps="5", spread_bps=str(seed))
    for step in range(80):
        symbol = random.choice(["SPY", "SAP"])
        roll = random.random()
        if roll < 0.4:
            side = random.choice(["buy", "buy", "sell"])
            limit = random.choice([None, str(random.randint(95, 105))])
            world.order(side, str(random.randint(1, 9)), limit, name=f"{step}", symbol=symbol)
        elif roll < 0.8:
            price = world.prices[Symbol(symbol)] = D(random.randint(9000, 11000)) / 100
            world.print(str(price), step, symbol)
        elif roll < 0.9:
            rate = Rate(D(random.randint(1_050_000, 1_150_000)) / 10**6, at(step))
            world.rates["EUR"] = rate
        elif roll < 0.95:
            pair = random.choice([("USD", "EUR"), ("EUR", "USD")])
            world.convert(str(random.randint(1, 300)), *pair)
        else:
            world.move(*random.choice([("deposit", "50"), ("withdrawal", "-30")]))
    balances: defaultdict[str, Decimal] = defaultdict(Decimal)
    for number, entry in enumerate(world.entries, 1):
        balances[entry.currency] += entry.amount
        assert (entry.seq, entry.balance) == (number, balances[entry.currency])
        assert entry.currency == "USD" or entry.balance >= 0
        assert (entry.rate is None) == (entry.currency == "USD" and entry.kind != "fx")
    books = world.books
    assert balances["USD"] == books.cash
    assert books.margin.terms is not None or books.cash >= 0
    entered = sum(
        (round(each.amount * (each.rate or 1), 12)
         for each in world.entries if each.kind in ("deposit", "withdrawal")),
        D(0),
    )  # fmt: skip
    assert books.risk.profit() == books.valued(world.prices)[0] - entered
    again = world.opened(_stored(world, entered))
    for figure in ("cash", "free_cash", "foreign_cash"):
        assert getattr(again, figure) == getattr(books, figure), figure
    assert again.valued(world.prices) == books.valued(world.prices)
    assert again.risk.profit() == books.risk.profit()
    assert again.risk.gross_exposure() == books.risk.gross_exposure()
    assert again.margin.figures(at(99)) == books.margin.figures(at(99))


def _stored(world: World, entered: Decimal) -> BooksState:
    books = world.books
    return BooksState(
        cash=books.cash,
        ledger_seq=len(world.entries),
        holdings=list(books.holdings.values()),
        working=[(each, True) for each in books.working.values()],
        foreign_cash={
            each: ForeignCash(balance, world.rates["EUR"].value)
            for each, balance in books.foreign_cash.items()
        },
        foreign={SAP.symbol: "EUR"},
        entered=entered,
    )


def test_books_in_one_currency_know_nothing_of_others() -> None:
    world = World()
    world.order("buy", "10", symbol="SPY")
    [filled] = world.print("100", symbol="SPY")
    assert (filled.execution.fx_rate, filled.execution.realized_pnl_base) == (None, None)
    assert all(each.rate is None for each in world.entries)
    assert not world.books.foreign_cash
