"""Who trades and what trades: the other services' parts, played by hand."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from redis.asyncio import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cli.embedded.servers import free_port
from order_processor.verification.repository import BooksReader
from shared.config import Settings
from shared.database.tables import AccountRow, InstrumentRow, UserRow
from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.margin import MarginTerms, margin_terms_document
from shared.models.market import Quotes, RunEnded, RunStarted, TimeMark, Trades
from shared.models.orders import (
    CancelOrder,
    Command,
    OpenBooks,
    Order,
    OrderReply,
    OrderType,
    Refusal,
    Reply,
    Side,
    SubmitOrder,
    TimeInForce,
)
from shared.redis import tape
from shared.redis.requests import AnswerOverdueError, OrderRequests
from shared.redis.topics import BUFFER_FRAMES, frames_after
from shared.trading.paper_terms import PaperTerms, basis_points, paper_terms_document

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
#: 2013-10-07 14:00 UTC.
START_NS = 1_381_154_400 * SECOND_NS
TIMEOUT_S = 60.0


async def until(condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
    """The first true value of `condition`, which may be a coroutine function."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


def add_instrument(
    engine: Engine,
    symbol: str,
    *,
    tick: Decimal = Decimal("0.01"),
    lot: Decimal = Decimal(1),
    exchange: str = "XNYS",
    currency: str = "USD",
    tradable: bool = True,
) -> None:
    with Session(engine) as session, session.begin():
        session.add(
            InstrumentRow(
                symbol=symbol,
                name=symbol,
                exchange=exchange,
                currency=currency,
                tick_size=tick,
                lot_size=lot,
                tradable=tradable,
            )
        )


def add_account(
    engine: Engine,
    *,
    capital: str = "100000",
    fee_bps: str = "0",
    slippage_bps: str = "0",
    paper: PaperTerms | None = None,
    status: str = "active",
    margin: MarginTerms | None = None,
) -> AccountId:
    name = uuid4().hex[:10]
    with Session(engine) as session, session.begin():
        user = UserRow(email=f"{name}@example.com", username=name, password_hash="-", role="trader")
        session.add(user)
        session.flush()
        account = AccountRow(
            owner_id=user.id,
            name=name,
            base_currency="USD",
            status=status,
            paper_capital=Decimal(capital),
            paper_terms=paper_terms_document(
                paper or basis_points(Decimal(fee_bps), Decimal(slippage_bps))
            ),
            margin_terms=margin_terms_document(margin),
        )
        session.add(account)
        session.flush()
        return AccountId(account.id)


@dataclass
class Desk:
    """Sends commands as a gateway does."""

    engine: Engine
    requests: OrderRequests
    account: AccountId = field(init=False)

    def __post_init__(self) -> None:
        self.account = add_account(self.engine)

    def command(
        self,
        side: Side = "buy",
        qty: str = "10",
        *,
        limit: str | None = None,
        client_order_id: str | None = None,
        symbol: str = "SPY",
        account: AccountId | None = None,
        mode: Mode = "paper",
        time_in_force: TimeInForce = "gtc",
        order_type: OrderType | None = None,
        **more: Any,
    ) -> SubmitOrder:
        """`more` are further fields of the command, texts for prices."""
        prices = {"stop_price", "trail_price", "trail_percent"}
        return SubmitOrder(
            request_id=uuid4().hex,
            reply_to=self.requests.reply_to,
            account_id=account or self.account,
            mode=mode,
            client_order_id=client_order_id or uuid4().hex,
            submitted_by="user:11111111-1111-1111-1111-111111111111",
            symbol=Symbol(symbol),
            side=side,
            order_type=order_type or ("market" if limit is None else "limit"),
            time_in_force=time_in_force,
            qty=Decimal(qty),
            limit_price=None if limit is None else Decimal(limit),
            **{key: Decimal(value) if key in prices else value for key, value in more.items()},
        )

    async def ask(self, command: Command) -> Reply:
        return await self.requests.ask(command, TIMEOUT_S)

    async def insist(self, command: SubmitOrder) -> Order:
        """Ask again until there is an answer, as a client does when processes die."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                reply = await self.requests.ask(command, 1.0)
            except AnswerOverdueError:
                assert time.monotonic() < deadline, "no answer"
                continue
            assert isinstance(reply, OrderReply), reply
            return reply.order

    async def submit(self, *args: Any, **kwargs: Any) -> Order:
        reply = await self.ask(self.command(*args, **kwargs))
        assert isinstance(reply, OrderReply), reply
        return reply.order

    async def refused(self, *args: Any, **kwargs: Any) -> Refusal:
        reply = await self.ask(self.command(*args, **kwargs))
        assert isinstance(reply, Refusal), reply
        return reply

    async def cancel(self, order_id: OrderId, account: AccountId | None = None) -> Reply:
        return await self.ask(
            CancelOrder(
                request_id=uuid4().hex,
                reply_to=self.requests.reply_to,
                account_id=account or self.account,
                mode="paper",
                order_id=order_id,
                submitted_by="user:1",
            )
        )

    async def open_books(self, account: AccountId | None = None) -> Reply:
        return await self.ask(
            OpenBooks(
                request_id=uuid4().hex,
                reply_to=self.requests.reply_to,
                account_id=account or self.account,
                mode="paper",
            )
        )

    # --- what is stored ----------------------------------------------------------------------

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql), parameters))

    def value(self, sql: str, **parameters: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(sql), parameters).scalar()

    def status(self, order_id: UUID) -> str | None:
        return self.value("SELECT status FROM orders WHERE id = :id", id=order_id)


@dataclass
class Feed:
    """A market data engine that plays what it is told."""

    redis: Redis
    at_ns: int = START_NS
    number: int = 0
    run_id: str = ""

    async def start(self, *, paced: bool = False) -> None:
        self.number = 0
        self.run_id = uuid4().hex
        source: Literal["replay", "live"] = "replay" if paced else "live"
        await tape.append(self.redis, [RunStarted(run_id=self.run_id, source=source, paced=paced)])

    async def end(self) -> None:
        await tape.append(self.redis, [RunEnded(run_id=self.run_id)])

    def trades(self, *prints: tuple[str, float], size: float = 1.0) -> Trades:
        """One second apart."""
        symbols = sorted({symbol for symbol, _ in prints})
        times = []
        for _ in prints:
            self.at_ns += SECOND_NS
            times.append(self.at_ns)
        return Trades(
            symbols=[Symbol(symbol) for symbol in symbols],
            symbol_index=[symbols.index(symbol) for symbol, _ in prints],
            at_ns=times,
            price=[price for _, price in prints],
            size=[size for _ in prints],
        )

    async def print(self, *prices: float, symbol: str = "SPY", size: float = 1.0) -> str:
        """Prints of one symbol, as one entry; its id."""
        trades = self.trades(*((symbol, price) for price in prices), size=size)
        return (await tape.append(self.redis, [trades]))[0]

    async def quote(self, *quotes: tuple[float, float], size: float = 100.0) -> str:
        """Quotes of SPY, a second apart, as one entry; its id."""
        count = len(quotes)
        times = [self.at_ns + SECOND_NS * (number + 1) for number in range(count)]
        self.at_ns = times[-1]
        told = Quotes(
            symbols=[Symbol("SPY")],
            symbol_index=[0] * count,
            at_ns=times,
            bid=[bid for bid, _ in quotes],
            ask=[ask for _, ask in quotes],
            bid_size=[size] * count,
            ask_size=[size] * count,
        )
        return (await tape.append(self.redis, [told]))[0]

    async def mark(
        self, *, paced: bool = False, phase: Literal["market", "strategy"] = "market"
    ) -> TimeMark:
        if phase == "market":
            self.number += 1
        mark = TimeMark(
            number=self.number, at_ns=self.at_ns, phase=phase, paced=paced, run_id=self.run_id
        )
        await tape.append(self.redis, [mark])
        return mark


def ledger_adds_up(desk: Desk, accounts: Iterable[UUID]) -> None:
    """Balances are running sums without gaps; cash, positions and executions agree."""
    for account in accounts:
        balance = Decimal(0)
        entries = desk.rows(
            "SELECT * FROM ledger_entries WHERE account_id = :a ORDER BY seq", a=account
        )
        for seq, row in enumerate(entries, 1):
            balance += row.amount
            assert row.seq == seq
            assert row.balance == balance
            assert balance >= 0
        executions = desk.rows(
            "SELECT * FROM executions WHERE account_id = :a ORDER BY seq", a=account
        )
        assert [row.seq for row in executions] == list(range(1, len(executions) + 1))
        flow = sum(
            (
                row.qty * row.price * (1 if row.side == "sell" else -1) - row.fee
                for row in executions
            ),
            Decimal(0),
        )
        deposits = desk.value(
            "SELECT sum(amount) FROM ledger_entries WHERE account_id = :a"
            " AND kind NOT IN ('fill', 'fee')",
            a=account,
        )
        assert balance == (deposits or 0) + flow
        held: dict[str, Decimal] = {}
        for row in executions:
            held[row.symbol] = held.get(row.symbol, Decimal(0)) + (
                row.qty if row.side == "buy" else -row.qty
            )
        stored = {
            row.symbol: row.qty
            for row in desk.rows("SELECT * FROM positions WHERE account_id = :a", a=account)
        }
        assert stored == held
        assert BooksReader(desk.engine).check(account, "paper")[0] == []


def frames_are_gap_free(desk: Desk) -> None:
    for topic, count, first, last in desk.rows(
        "SELECT topic, count(*), min(topic_seq), max(topic_seq) FROM account_events GROUP BY topic"
    ):
        assert (first, last) == (1, count), topic


async def all_published(desk: Desk, redis: Redis) -> bool:
    for topic, last in desk.rows("SELECT topic, max(topic_seq) FROM account_events GROUP BY topic"):
        before = max(0, last - BUFFER_FRAMES)  # frames up to there may be gone
        frames = await frames_after(redis, topic, before)
        if frames is None or [seq for seq, _ in frames] != list(range(before + 1, last + 1)):
            return False
    return True


class ProcessorProcess:
    """`python -m order_processor` as an operator starts it."""

    def __init__(self, settings: Settings, **more: str) -> None:
        self.port = free_port()
        password = settings.redis_password
        self._environment = os.environ | {
            "ENVIRONMENT": "test",
            "DB_PORT": str(settings.db_port),
            "DB_NAME": settings.db_name,
            "DB_PASSWORD": settings.db_password.get_secret_value(),
            "REDIS_PORT": str(settings.redis_port),
            "REDIS_PASSWORD": password.get_secret_value() if password else "",
            "LEASE_DURATION_S": "1",
            "ORDER_PROCESSOR_PORT": str(self.port),
            **more,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "order_processor"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(TIMEOUT_S)

    def end(self) -> None:
        """Whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
