"""Small stand-ins for the services at the other end of our ports."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import (
    AccountEventRow,
    ExecutionRow,
    LedgerEntryRow,
    OrderRow,
    PositionRow,
)
from shared.models.base import Message, encode
from shared.models.frames import encode_frame
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import (
    Candle,
    Candles,
    RunEnded,
    RunStarted,
    TimeMark,
    Trades,
)
from shared.models.orders import (
    BooksReply,
    CancelOrder,
    Command,
    Execution,
    OpenBooks,
    Order,
    OrderExecuted,
    OrderReply,
    OrderUpdated,
    Position,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.models.topics import account_topic
from shared.redis import tape
from shared.redis.keys import TAPE, order_commands
from shared.redis.streams import read_after
from shared.redis.topics import publish_frames
from shared.trading.paper_terms import FREE, paper_terms_document

MINUTE_NS = 60_000_000_000
_command_decoder = msgspec.json.Decoder(Command)


async def eventually(
    condition: Callable[[], Awaitable[Any]], what: str, timeout_s: float = 60.0
) -> Any:
    """What `condition` gives when it is true at last."""
    async with asyncio.timeout(timeout_s) as deadline:
        while not (value := await condition()):
            await asyncio.sleep(0.01)
            assert deadline is not None, what
        return value


class OrderDesk:
    """Shard 0, one of one: takes commands, fills at the market mark, publishes, acknowledges.

    Fills all working orders of a symbol at its last print, without slippage or fees. What the
    worker reads from Postgres (books, working orders, events) is there as the contract says.
    """

    def __init__(self, redis: Redis, engine: Engine) -> None:
        self._redis = redis
        self._engine = engine
        self.orders: dict[str, Order] = {}
        self.commands: list[SubmitOrder | CancelOrder | ReplaceOrder] = []
        self.answers = 0
        #: Answers to leave out, as if they got lost on the way.
        self.lose_answers = 0
        self.refuse_symbol: str | None = None
        self.publish = True
        self._cash: dict[UUID, Decimal] = {}
        self._positions: dict[tuple[UUID, str], Position] = {}
        self._seq: defaultdict[str, int] = defaultdict(int)
        self._rows = 0
        self._stamp = "0-0"
        self._at = datetime(2026, 1, 5, tzinfo=UTC)
        self._prices: dict[str, Decimal] = {}
        self._frames: list[tuple[str, int, bytes]] = []

    async def run(self) -> None:
        commands, entries = "0-0", "0-0"
        while True:
            for entry_id, fields in await read_after(
                self._redis, order_commands(0), commands, count=100, block_ms=None
            ):
                commands = entry_id
                await self._take(_command_decoder.decode(fields[b"b"]))
            for entry in await tape.read(self._redis, entries, count=10, block_ms=5):
                entries = entry.id
                await self._follow(entry)

    # --- commands ------------------------------------------------------------------------------

    async def _take(self, command: SubmitOrder | CancelOrder | ReplaceOrder | OpenBooks) -> None:
        match command:
            case OpenBooks():
                reply: Reply = self._open(command)
            case SubmitOrder():
                self.commands.append(command)
                reply = self._submit(command)
            case CancelOrder():
                self.commands.append(command)
                reply = self._cancel(command)
            case ReplaceOrder():
                self.commands.append(command)
                reply = self._replace(command)
        await self._publish()
        if self.lose_answers:
            self.lose_answers -= 1
            return
        self.answers += 1
        await self._redis.publish(command.reply_to, encode([reply]))

    def _open(self, command: OpenBooks) -> Reply:
        if command.account_id not in self._cash:
            self._cash[command.account_id] = Decimal(10_000)
            with Session(self._engine) as session, session.begin():
                self._ledger(session, command.account_id, 1)
        return BooksReply(request_id=command.request_id, cash=self._cash[command.account_id])

    def _submit(self, command: SubmitOrder) -> Reply:
        if command.symbol == self.refuse_symbol:
            return Refusal(request_id=command.request_id, code="not_today", message="Closed.")
        known = self.orders.get(command.client_order_id)
        if known is not None:
            return OrderReply(request_id=command.request_id, order=known, repeated=True)
        order = Order(
            id=uuid5(NAMESPACE_URL, command.client_order_id),
            account_id=command.account_id,
            mode=command.mode,
            client_order_id=command.client_order_id,
            submitted_by=command.submitted_by,
            deployment_id=command.deployment_id,
            symbol=command.symbol,
            side=command.side,
            type=command.order_type,
            time_in_force=command.time_in_force,
            qty=command.qty,
            limit_price=command.limit_price,
            status="accepted",
            filled_qty=Decimal(0),
            avg_fill_price=None,
            reason_code=None,
            reason=None,
            seq=len(self.orders) + 1,
            submitted_at=self._at,
            updated_at=self._at,
        )
        if order.side == "sell" and self._position(order).qty < order.qty:
            order = msgspec.structs.replace(
                order, status="rejected", reason_code="no_position", reason="Nothing to sell."
            )
        self._changed(order)
        return OrderReply(request_id=command.request_id, order=order)

    def _replace(self, command: ReplaceOrder) -> Reply:
        """Of a working limit order: its price."""
        known = self.orders.get(command.client_order_id)
        if known is not None:
            return OrderReply(request_id=command.request_id, order=known, repeated=True)
        for old in self.orders.values():
            if old.id == command.order_id and old.status == "accepted":
                new = msgspec.structs.replace(
                    old,
                    id=uuid5(NAMESPACE_URL, command.client_order_id),
                    client_order_id=command.client_order_id,
                    limit_price=command.limit_price,
                    replaces=old.id,
                    seq=len(self.orders) + 1,
                )
                self._changed(msgspec.structs.replace(old, status="replaced", replaced_by=new.id))
                self._changed(new)
                return OrderReply(request_id=command.request_id, order=new)
        return Refusal(request_id=command.request_id, code="order_not_working", message="Ended.")

    def _cancel(self, command: CancelOrder) -> Reply:
        for order in self.orders.values():
            if order.id == command.order_id and order.status == "accepted":
                order = msgspec.structs.replace(order, status="cancelled")
                self._changed(order)
                return OrderReply(request_id=command.request_id, order=order)
        return Refusal(request_id=command.request_id, code="not_working", message="It has ended.")

    # --- the tape ------------------------------------------------------------------------------

    async def _follow(self, entry: tape.RawEntry) -> None:
        match entry.decode():
            case Trades(symbols=symbols, symbol_index=index, price=prices):
                for which, price in zip(index, prices, strict=True):
                    self._prices[symbols[which]] = Decimal(str(price))
            case TimeMark(phase="market") as mark:
                self._stamp = entry.id
                self._at = datetime.fromtimestamp(mark.at_ns / 1e9, UTC)
                for order in [o for o in self.orders.values() if o.status == "accepted"]:
                    self._fill(order)
                self._prices.clear()
                await self._publish()
                await tape.acknowledge(self._redis, ["orders:0"], mark, "market", entry.id)

    def _fill(self, order: Order) -> None:
        price = self._prices.get(order.symbol)
        if price is None:
            return
        limit = order.limit_price
        if limit is not None and (price > limit if order.side == "buy" else price < limit):
            return
        sign = 1 if order.side == "buy" else -1
        self._cash[order.account_id] -= sign * order.qty * price
        position = msgspec.structs.replace(
            self._position(order), avg_price=price, updated_at=self._at
        )
        position = msgspec.structs.replace(position, qty=position.qty + sign * order.qty)
        self._positions[order.account_id, order.symbol] = position
        order = msgspec.structs.replace(
            order, status="filled", filled_qty=order.qty, avg_fill_price=price
        )
        execution = Execution(
            id=uuid5(order.id, "1"),
            order_id=order.id,
            account_id=order.account_id,
            mode=order.mode,
            deployment_id=order.deployment_id,
            symbol=order.symbol,
            side=order.side,
            qty=order.qty,
            price=price,
            fee=Decimal(0),
            realized_pnl=Decimal(0),
            seq=self._seq[f"{order.account_id} executions"] + 1,
            at=self._at,
        )
        self._seq[f"{order.account_id} executions"] += 1
        self._event(
            order,
            "executions",
            OrderExecuted(
                execution=execution,
                order=order,
                position=position,
                cash=self._cash[order.account_id],
                tape_id=self._stamp,
            ),
        )
        self._changed(order)
        with Session(self._engine) as session, session.begin():
            session.add(ExecutionRow(**msgspec.structs.asdict(execution)))

    # --- the books -----------------------------------------------------------------------------

    def _position(self, order: Order) -> Position:
        return self._positions.get(
            (order.account_id, order.symbol),
            Position(
                account_id=order.account_id,
                mode=order.mode,
                symbol=order.symbol,
                qty=Decimal(0),
                avg_price=Decimal(0),
                realized_pnl=Decimal(0),
                fees=Decimal(0),
                updated_at=self._at,
            ),
        )

    def _changed(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        cash = self._cash[order.account_id]
        self._event(
            order,
            "orders",
            OrderUpdated(order=order, event=order.status, tape_id=self._stamp, cash=cash),
        )
        position = self._position(order)
        with Session(self._engine) as session, session.begin():
            session.merge(_order_row(order, self._stamp))
            session.merge(PositionRow(**msgspec.structs.asdict(position), cost=position.qty))
            self._ledger(session, order.account_id, 1)

    def _ledger(self, session: Session, account_id: UUID, seq: int) -> None:
        session.merge(
            LedgerEntryRow(
                account_id=account_id,
                mode="paper",
                seq=seq,
                kind="deposit",
                amount=self._cash[account_id],
                currency="USD",
                balance=self._cash[account_id],
                at=self._at,
            )
        )

    def _event(self, order: Order, kind: Any, message: Message) -> None:
        topic = account_topic(order.account_id, order.mode, kind)
        self._seq[topic] += 1
        self._rows += 1
        frame = encode_frame(topic, self._seq[topic], message)
        self._frames.append((topic, self._seq[topic], frame))
        with Session(self._engine) as session, session.begin():
            session.add(
                AccountEventRow(
                    shard=0,
                    seq=self._rows,
                    account_id=order.account_id,
                    topic=topic,
                    topic_seq=self._seq[topic],
                    frame=frame,
                )
            )

    async def _publish(self) -> None:
        frames, self._frames = self._frames, []
        if self.publish:
            await publish_frames(self._redis, frames)


def _order_row(order: Order, stamp: str) -> OrderRow:
    return OrderRow(
        **msgspec.structs.asdict(order),
        reserved=Decimal(0),
        tape_id=stamp,
        paper_terms=paper_terms_document(FREE),
    )


class TapeEngine:
    """Writes runs: one print and one candle of a minute per price and symbol."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.pacer = tape.Pacer(redis, always={"orders:0": "market"})
        self._runs = 0
        self._number = 0
        self.run_id = ""
        self.paced = True

    async def start(self, source: Any = "replay") -> None:
        self._runs += 1
        self._number = 0
        self.run_id = f"run-{self._runs}"
        self.paced = source != "live"
        await self.pacer.begin(self.run_id)
        await self._write(RunStarted(run_id=self.run_id, source=source, paced=self.paced))

    async def slice(self, prices: dict[str, float], timeframe: Timeframe = "1m") -> None:
        """Everything up to the strategy mark. Prices may be empty: then nothing happens."""
        self._number += 1
        end = self._number * MINUTE_NS
        symbols = [Symbol(symbol) for symbol in prices]
        if symbols:
            await self._write(
                Trades(
                    symbols=symbols,
                    symbol_index=list(range(len(symbols))),
                    at_ns=[end - 1] * len(symbols),
                    price=list(prices.values()),
                    size=[1.0] * len(symbols),
                ),
                Candles(
                    candles=[
                        candle(symbol, end - MINUTE_NS, price, timeframe)
                        for symbol, price in prices.items()
                    ]
                ),
            )
        await self._mark("market")
        if self.paced:
            await self.pacer.wait("market", self._number)
        await self._mark("strategy")

    async def wait(self) -> None:
        """Until all deployments have acknowledged the slice."""
        async with asyncio.timeout(40):
            await self.pacer.wait("strategy", self._number)

    async def play(self, symbol: str, prices: Sequence[float]) -> None:
        """A whole paced run."""
        await self.start()
        for price in prices:
            await self.slice({symbol: price})
            await self.wait()
        await self.end()

    async def newest_mark_id(self) -> str:
        newest = await tape.newest_mark(self._redis, "strategy")
        assert newest is not None
        return newest[0]

    async def cut_off(self) -> None:
        """As a tape that nobody paces is: all but the last entry is gone."""
        await self._redis.xtrim(TAPE, maxlen=1, approximate=False)

    async def end(self) -> None:
        await self._write(RunEnded(run_id=self.run_id))

    async def _mark(self, phase: Any) -> None:
        await self._write(
            TimeMark(
                number=self._number,
                at_ns=self._number * MINUTE_NS,
                phase=phase,
                paced=self.paced,
                run_id=self.run_id,
            )
        )

    async def _write(self, *entries: Any) -> None:
        await tape.append(self._redis, entries)


def candle(symbol: str, start_ns: int, price: float, timeframe: Timeframe = "1m") -> Candle:
    return Candle(
        symbol=Symbol(symbol),
        timeframe=timeframe,
        start_ns=start_ns,
        end_ns=start_ns + MINUTE_NS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1.0,
        vwap=price,
        trades=1,
    )
