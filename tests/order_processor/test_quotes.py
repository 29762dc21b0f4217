"""Quotes on the tape, and the orders that take from them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest
from sqlalchemy import Engine, text

from market_data_engine.feeds.synthetic import SyntheticFeed
from order_processor.corporate_actions.faults import ActionFaults
from order_processor.shards.clock import moment
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.desk import Desk as ShardDesk
from order_processor.shards.feed import understood
from order_processor.shards.fx import RateHistory
from order_processor.shards.lookup import look_up
from order_processor.shards.recovery import load_shard
from order_processor.shards.repository import write
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import Cursors
from order_processor.wiring import Wiring
from shared.calendars import Calendars
from shared.market_files.columns import MarketColumns, TradeColumns
from shared.market_files.market import read_market
from shared.models.base import encode
from shared.models.identifiers import AccountId, Symbol
from shared.models.margin import MarginTerms
from shared.models.market import Halts, Quotes, RunStarted, TapeEntry, TimeMark
from shared.models.orders import CancelOrder, Execution, Side, SubmitOrder
from shared.redis.tape import RawEntry, kind_of
from shared.replays.slices import Slice, Slicer
from shared.trading.amounts import exact, measured
from shared.trading.changes import order_id_of
from shared.trading.commissions import PerShareCommission
from shared.trading.margin_calls import MarginRules
from shared.trading.paper_terms import FREE, PaperTerms
from shared.trading.slippage import SpreadSlippage
from shared.trading.terms import Instrument, Limits, Refused
from strategy_workers.backtests.account import Account
from strategy_workers.backtests.plan import Terms
from tests.order_processor.support import Desk, Feed, add_account, add_instrument, until

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


async def test_an_order_takes_the_quote_that_stood_before_a_restart(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        await feed.quote((99.5, 100.5), (99.0, 0.0), (99.75, 100.25))
        taken = await desk.submit("buy", "10")
    async with processor():
        await feed.print(99.0)
        await until(lambda: desk.status(taken.id) == "filled")
        crossed = await desk.submit("buy", "10")
        await feed.quote((101.0, 100.0))
        await feed.print(98.0)
        await until(lambda: desk.status(crossed.id) == "filled")
        at_quote = await desk.submit("buy", "10")
        await feed.quote((97.0, 97.5))
        await until(lambda: desk.status(at_quote.id) == "filled")
    assert [row.price for row in desk.rows("SELECT price FROM executions ORDER BY seq")] == [
        Decimal("100.25"),
        98,
        Decimal("97.5"),
    ]


async def test_quotes_of_an_earlier_run_are_not_taken_from(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        await feed.quote((99.0, 101.0))
        await feed.start(paced=True)
        await feed.print(50.0)
        order = await desk.submit("buy", "10")
        await feed.print(51.0)
        await until(lambda: desk.status(order.id) == "filled")
    assert desk.value("SELECT price FROM executions") == 51
    assert desk.rows("SELECT * FROM order_shard_quotes") == []


# --- a real day --------------------------------------------------------------------------------

ORDERS = 1000
TERMS = PaperTerms(
    PerShareCommission(Decimal("0.005"), Decimal(1)),
    SpreadSlippage(Decimal(25)),
    participation_percent=Decimal(50),
)
#: The same at a distance from the market, with a place in the queue.
DISTANT = msgspec.structs.replace(TERMS, queue="displayed", latency_ms=350, latency_jitter_ms=5000)
CAPITAL = Decimal(50_000_000)
IBM = Instrument(Symbol("IBM"), "XNYS", "USD", Decimal("0.01"), Decimal(1), True)
#: What both paths are compared by: order, time, side, quantity, price, fee.
Fill = tuple[object, ...]


def slices_of(folder: Path) -> list[Slice]:
    slicer = Slicer(5000)
    paths = [folder / kind / "IBM_20131007.csv.gz" for kind in ("trades", "quotes")]
    slices = [piece for batch in read_market(paths) for piece in slicer.add(batch)]
    return [*slices, *slicer.finish()]


#: By the number of the slice that they come after.
Sent = dict[int, list[SubmitOrder | CancelOrder]]


def random_orders(account_id: AccountId, slices: list[Slice]) -> Sent:
    """Every fifth is cancelled some slices later, if it still works."""
    random = Random(20131007)
    last: dict[int, float] = {}
    for number, piece in enumerate(slices):
        price = piece.trades.price[-1] if piece.trades.price else last.get(number - 1)
        if price is not None:
            last[number] = price
    orders: Sent = {}
    for number in range(ORDERS):
        # Enough is bought first for most sells to be possible.
        after = min(last) if not number else random.choice(list(last))
        around = Decimal(repr(last[after])) + Decimal(random.randint(-12, 12)) / 100
        kind = random.choice(("market", "market", "limit", "limit", "stop", "trailing_stop"))
        side = random.choice(("buy", "sell"))
        order = SubmitOrder(
            request_id="r",
            reply_to="c",
            account_id=account_id,
            mode="paper",
            client_order_id=f"o{number}",
            submitted_by="user:1",
            symbol=IBM.symbol,
            side="buy" if not number else side,
            order_type="market" if not number else kind,
            time_in_force="ioc" if kind == "limit" and random.random() < 0.2 else "gtc",
            qty=Decimal(20_000 if not number else random.randint(1, 120)),
            limit_price=around if number and kind == "limit" else None,
            stop_price=around if number and kind == "stop" else None,
            trail_price=Decimal("0.05") if number and kind == "trailing_stop" else None,
        )
        orders.setdefault(after, []).append(order)
        if number % 5 == 4:
            cancel = CancelOrder(
                request_id="r",
                reply_to="c",
                account_id=account_id,
                mode="paper",
                order_id=order_id_of(account_id, "paper", order.client_order_id),
                submitted_by="user:1",
            )
            orders.setdefault(after + random.randint(1, 30), []).append(cancel)
    return orders


def submission(account_id: AccountId, side: Side, qty: Decimal) -> SubmitOrder:
    return SubmitOrder(
        request_id="r",
        reply_to="c",
        account_id=account_id,
        mode="paper",
        client_order_id="first",
        submitted_by="user:1",
        symbol=IBM.symbol,
        side=side,
        order_type="market",
        time_in_force="gtc",
        qty=qty,
    )


def fill_of(execution: Execution) -> Fill:
    return (
        execution.order_id,
        execution.at,
        execution.side,
        execution.qty,
        execution.price,
        execution.fee,
    )


class OnPaper:
    """A shard's desk that a successor takes over from the tables again and again."""

    def __init__(self, engine: Engine, sessions: Sessions, account_id: AccountId) -> None:
        self.engine = engine
        self.sessions = sessions
        self.account_id = account_id
        self.fills: list[Fill] = []
        self.number = 0
        with engine.begin() as connection:
            self.stored: Cursors = load_shard(connection, 0, 1).cursors
        self.take_over()

    def take_over(self) -> None:
        with self.engine.begin() as connection:
            stored = load_shard(connection, 0, 1)
        assert stored.cursors == self.stored
        self.desk = ShardDesk(
            0,
            1,
            stored,
            wall=lambda: moment(0),
            limits=Limits(),
            sessions=self.sessions,
            margin_rules=MarginRules(),
            action_faults=ActionFaults(0),
            rates=RateHistory(),
        )

    def commit(self) -> None:
        sealed = self.desk.seal(0, [])
        self.fills += [fill_of(execution) for execution in sealed.batch.executions]
        with self.engine.begin() as connection:
            write(
                connection, 0, sealed.batch, sealed.market, before=self.stored, after=sealed.cursors
            )
        self.stored = sealed.cursors

    def tape(self, entry: TapeEntry) -> None:
        self.number += 1
        # Through the wire format, as the feed reads it.
        raw = RawEntry(f"{self.number}-0", kind_of(entry), encode(entry))
        with exact():
            self.desk.apply_entry(understood(raw))

    def submit(self, commands: list[SubmitOrder | CancelOrder]) -> None:
        entries = [
            CommandEntry(f"{self.number}-{place}", command, "0-0")
            for place, command in enumerate(commands, 1)
        ]
        unknown = self.desk.unknown_to(entries)
        with self.engine.connect() as connection:
            self.desk.learn(unknown, look_up(connection, unknown, self.desk.last_seen))
        with exact():
            for entry in entries:
                self.desk.apply_command(entry)


def pure_fills(slices: list[Slice], orders: Sent, account: Account) -> list[Fill]:
    last: float | None = None
    for number, piece in enumerate(slices):
        account.begin_moment()
        for entry in piece.entries():
            if isinstance(entry, Quotes):
                account.take_quotes(entry)
            elif isinstance(entry, Halts):
                account.take_halts(entry)
            else:
                symbols = [IBM.symbol] * len(entry.at_ns)
                account.meet(zip(entry.at_ns, symbols, entry.price, entry.size, strict=True))
                last = entry.price[-1]
        account.expire(piece.mark_ns)
        for order in orders.get(number, []):
            if isinstance(order, CancelOrder):
                account.cancel(order, moment(piece.mark_ns))
                continue
            assert last is not None
            taken = account.books.submit(
                order, IBM, measured(last), moment(piece.mark_ns), "", None
            )
            assert not isinstance(taken, Refused), taken
            account.took(order.symbol, taken, moment(piece.mark_ns))
    return [fill_of(execution) for execution in account.executions]


@pytest.fixture
def sessions(calendar_folder: Path) -> Iterator[Sessions]:
    sessions = Sessions(Calendars(calendar_folder))
    yield sessions
    sessions.close()


def on_paper(
    engine: Engine,
    sessions: Sessions,
    account_id: AccountId,
    slices: list[Slice],
    orders: Sent,
    each: int,
) -> OnPaper:
    """Taken over after each so many slices."""
    played = OnPaper(engine, sessions, account_id)
    played.tape(RunStarted(run_id="r", source="replay", paced=True))
    for number, piece in enumerate(slices):
        for entry in piece.entries():
            played.tape(entry)
        played.tape(
            TimeMark(number=number + 1, at_ns=piece.mark_ns, phase="market", paced=True, run_id="r")
        )
        played.submit(orders.get(number, []))
        if number % each == each - 1:
            played.commit()
            played.take_over()
    played.commit()
    return played


@pytest.mark.parametrize("paper", [TERMS, DISTANT], ids=["near", "distant"])
def test_a_thousand_orders_in_a_real_day_fill_on_paper_as_in_the_pure_path(
    engine: Engine,
    sessions: Sessions,
    calendar_folder: Path,
    market_data_folder: Path,
    paper: PaperTerms,
) -> None:
    account_id = add_account(engine, capital=str(CAPITAL), paper=paper)
    add_instrument(engine, "IBM")
    slices = slices_of(market_data_folder)
    orders = random_orders(account_id, slices)
    played = on_paper(engine, sessions, account_id, slices, orders, each=100)

    terms = Terms(capital=CAPITAL, paper=paper)
    account = Account(terms, [IBM.symbol], Calendars(calendar_folder).of("24/7"))
    pure = pure_fills(slices, orders, account)
    assert played.fills == pure
    assert len(pure) > ORDERS / 2
    assert len({fill[0] for fill in pure}) > ORDERS / 3


async def test_orders_in_a_market_that_halts_fill_on_paper_as_in_the_pure_path(
    engine: Engine, sessions: Sessions, calendar_folder: Path
) -> None:
    account_id = add_account(engine, capital=str(CAPITAL), paper=DISTANT)
    add_instrument(engine, "IBM")
    slicer = Slicer(5000)
    feed = SyntheticFeed(["IBM"], 1_704_200_400 * 10**9, 240, 20, 1, "halt")
    slices = [piece async for batch in feed.batches() for piece in slicer.add(batch)]
    slices += slicer.finish()
    assert sum(piece.halts is not None for piece in slices) == 4
    orders = random_orders(account_id, slices)
    played = on_paper(engine, sessions, account_id, slices, orders, each=7)

    account = Account(
        Terms(capital=CAPITAL, paper=DISTANT),
        [IBM.symbol],
        Calendars(calendar_folder).of("24/7"),
    )
    pure = pure_fills(slices, orders, account)
    assert played.fills == pure
    assert len(pure) > ORDERS / 2
    with engine.connect() as connection:
        halted = connection.execute(
            text("SELECT count(*) FROM orders WHERE reason_code = 'trading_halted'")
        ).scalar_one()
    assert halted


LENT = MarginTerms(interest_bps=Decimal(720))


@pytest.mark.parametrize(
    ("side", "prices"),
    [("buy", [100, 100, 58, 57, 56, 56, 57]), ("sell", [100, 100, 120, 136, 140, 139, 141])],
)
def test_a_margin_account_is_charged_called_and_closed_on_paper_as_in_the_pure_path(
    engine: Engine,
    sessions: Sessions,
    calendar_folder: Path,
    side: Side,
    prices: list[float],
) -> None:
    account_id = add_account(engine, capital="10000", paper=FREE, margin=LENT)
    add_instrument(engine, "IBM")
    first_ns = 1_704_200_000 * 10**9
    # Bought or sold short on the first day; called on the third, and closed minutes later.
    after_s = [0, 60, 2 * 86_400, 2 * 86_400 + 200, 2 * 86_400 + 400, 2 * 86_400 + 460, 3 * 86_400]
    at_ns = [first_ns + each * 10**9 for each in after_s]
    rows = TradeColumns([IBM.symbol], [0] * len(prices), at_ns, prices, [100.0] * len(prices))
    slicer = Slicer(1)
    slices = [*slicer.add(MarketColumns(rows)), *slicer.finish()]
    order = submission(account_id, side, Decimal(180))
    played = on_paper(engine, sessions, account_id, slices, {0: [order]}, each=100)

    account = Account(
        Terms(capital=Decimal(10_000), paper=FREE, margin=LENT),
        [IBM.symbol],
        Calendars(calendar_folder).of("24/7"),
    )
    pure = pure_fills(slices, {0: [order]}, account)
    # An order that closes for a margin call has the id of its own account's.
    assert [fill[1:] for fill in played.fills] == [fill[1:] for fill in pure]
    assert [fill[2] for fill in pure] == [side, "buy" if side == "sell" else "sell"]
    assert account.margin is not None
    assert (account.margin.calls, account.margin.liquidations) == (1, 1)
    assert bool(account.margin.charges) == (side == "buy")
    with engine.connect() as connection:
        cash = connection.execute(
            text("SELECT balance FROM ledger_entries ORDER BY seq DESC LIMIT 1")
        ).scalar_one()
    assert cash == account.books.cash
