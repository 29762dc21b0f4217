"""Orders and the books. Written by the order processor that holds the account's shard, alone."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base

_MODE = "mode IN ('paper', 'live')"


class ShardRow(Base):
    """How far a shard has come: everything up to these positions is in the tables."""

    __tablename__ = "order_shards"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Last command applied: an entry id of the shard's command stream.
    command_cursor: Mapped[str] = mapped_column(default="0-0")
    #: Last market-data entry applied: an entry id of the tape.
    tape_cursor: Mapped[str] = mapped_column(default="0-0")
    #: Last `account_events.seq` handed out, and the last one known to be published.
    event_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    published_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    #: Last tape entry that could move a price or the time (`tape_id` of events).
    market_entry: Mapped[str] = mapped_column(default="0-0")
    #: Market time of a paced run at `tape_cursor`; None when the wall clock is the time.
    market_time_ns: Mapped[int | None] = mapped_column(BigInteger)
    #: Last market mark of the paced run that is under way; 0 before the first and without one.
    mark_number: Mapped[int] = mapped_column(BigInteger, default=0)
    #: The run that the mark belongs to; empty without one.
    mark_run_id: Mapped[str] = mapped_column(default="")


class MarkRow(Base):
    """Last price of a symbol as the shard knew it at `tape_cursor`: recovery needs the same."""

    __tablename__ = "order_shard_marks"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    price: Mapped[Decimal]
    at: Mapped[datetime]
    #: The tape entry that the print came in.
    tape_id: Mapped[str]


class OrderShardQuoteRow(Base):
    """The quote that stands of each symbol, as far as the shard has applied the tape; zeros where
    what followed took it away."""

    __tablename__ = "order_shard_quotes"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    bid: Mapped[float] = mapped_column(Double)
    ask: Mapped[float] = mapped_column(Double)
    bid_size: Mapped[float] = mapped_column(Double)
    ask_size: Mapped[float] = mapped_column(Double)
    at_ns: Mapped[int] = mapped_column(BigInteger)
    #: Tape entry of the last quote that counts.
    tape_id: Mapped[str]


class OrderShardSymbolHaltRow(Base):
    """A symbol that doesn't trade, or has not printed since it may again, as far as the shard has
    applied the tape."""

    __tablename__ = "order_shard_symbol_halts"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    #: `halted` or `reopening`.
    state: Mapped[str]


class OrderRow(Base):
    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    mode: Mapped[str]
    client_order_id: Mapped[str]
    #: Who sent it: a user or a deployment.
    submitted_by: Mapped[str]
    deployment_id: Mapped[UUID | None]
    symbol: Mapped[str]
    side: Mapped[str]
    type: Mapped[str]
    time_in_force: Mapped[str]
    qty: Mapped[Decimal]
    limit_price: Mapped[Decimal | None]
    status: Mapped[str]
    filled_qty: Mapped[Decimal]
    #: Volume-weighted price of the executions; None before the first.
    filled_avg_price: Mapped[Decimal | None]
    reason_code: Mapped[str | None]
    reason: Mapped[str | None]
    #: Order of submission within the account and mode, from 1.
    seq: Mapped[int] = mapped_column(BigInteger)
    submitted_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    #: Cash that the order keeps from others for what is left of it. Of a sell, which keeps none,
    #: what it is worth at worst in a margin account, and zero in a cash account.
    reserved: Mapped[Decimal]
    #: Tape entry that the shard had come to when it took the order: prints after it count.
    tape_id: Mapped[str]
    #: It fills outside of regular hours too.
    extended_hours: Mapped[bool] = mapped_column(server_default=text("true"))
    #: Market time at which a DAY, GTD, OPG or CLS order ends; None for the others.
    expires_at: Mapped[datetime | None]
    #: A trailing stop's follows its mark; it is stored as it was at the shard's `tape_cursor`.
    stop_price: Mapped[Decimal | None]
    trail_price: Mapped[Decimal | None]
    trail_percent: Mapped[Decimal | None]
    #: The mark: highest price for a sell, lowest for a buy; None before a run's first print.
    hwm: Mapped[Decimal | None]
    #: When what was asked of it is at the market.
    due_at: Mapped[datetime | None]
    #: Of a paper order whose place in the queue is followed; as at the shard's `tape_cursor`.
    queue_ahead: Mapped[Decimal | None]
    triggered_at: Mapped[datetime | None]
    replaces: Mapped[UUID | None]
    replaced_by: Mapped[UUID | None]
    #: It was made to close the position.
    closes_position: Mapped[bool] = mapped_column(default=False)
    order_class: Mapped[str] = mapped_column(default="simple")
    #: Of an order in a group: the id of the group's first order, and what it is for.
    group_id: Mapped[UUID | None]
    group_role: Mapped[str | None]
    #: An exit whose quantity follows the position.
    protects_position: Mapped[bool] = mapped_column(default=False)
    #: The amount of money that it is for; its first fill decides `qty`.
    notional: Mapped[Decimal | None]
    #: The account's terms when it was accepted, for its paper fills.
    paper_terms: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    #: What its executions cost exactly, before their fees are rounded to cents; kept while it is
    #: partly filled.
    commission: Mapped[Decimal] = mapped_column(default=Decimal(0), server_default=text("0"))

    __table_args__ = (
        UniqueConstraint("account_id", "mode", "client_order_id"),
        UniqueConstraint("account_id", "mode", "seq"),
        CheckConstraint(_MODE, name="mode"),
        CheckConstraint("qty > 0 AND filled_qty >= 0 AND filled_qty <= qty", name="qty"),
        Index(
            "ix_orders_working",
            "account_id",
            postgresql_where=text("status IN ('new', 'held', 'accepted', 'partially_filled')"),
        ),
        Index("ix_orders_group_id", "group_id", postgresql_where=text("group_id IS NOT NULL")),
    )


class OrderTransitionRow(Base):
    """Added to in the transaction that writes the order's own row, by the same writer; a reference
    to that would be checked row by row on the way of every order."""

    __tablename__ = "order_transitions"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    #: 1 for the first transition of the order.
    seq: Mapped[int] = mapped_column(primary_key=True)
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    reason_code: Mapped[str | None]
    at: Mapped[datetime]


class ExecutionRow(Base):
    __tablename__ = "executions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    mode: Mapped[str]
    deployment_id: Mapped[UUID | None]
    symbol: Mapped[str]
    side: Mapped[str]
    qty: Mapped[Decimal]
    price: Mapped[Decimal]
    fee: Mapped[Decimal]
    #: Profit over the average price that this execution realised, fee not included.
    realized_pnl: Mapped[Decimal]
    #: Order of executions within the account and mode, from 1.
    seq: Mapped[int] = mapped_column(BigInteger)
    #: Market time.
    at: Mapped[datetime]
    #: Of an instrument in another currency than the account's: the latter for one unit of it, and
    #: the realised profit at that.
    fx_rate: Mapped[Decimal | None]
    realized_pnl_base: Mapped[Decimal | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("account_id", "mode", "seq"),
        CheckConstraint(_MODE, name="mode"),
        CheckConstraint("qty > 0 AND price > 0 AND fee >= 0", name="amounts"),
        CheckConstraint("(fx_rate IS NULL) = (realized_pnl_base IS NULL)", name="fx_rate"),
    )


class PositionConversionRow(Base):
    """A part of a position that went from one owner to another; None is what is traded by hand."""

    __tablename__ = "position_conversions"

    #: In the order in which they were made.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    client_conversion_id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    from_deployment_id: Mapped[UUID | None]
    to_deployment_id: Mapped[UUID | None]
    #: Signed like the position that it was a part of, and what that had cost.
    qty: Mapped[Decimal]
    cost: Mapped[Decimal]
    #: Number of the last execution before it.
    execution_seq: Mapped[int] = mapped_column(BigInteger)
    #: Market time.
    at: Mapped[datetime]
    submitted_by: Mapped[str]
    reason: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(_MODE, name="mode"),
        CheckConstraint(
            "qty <> 0 AND from_deployment_id IS DISTINCT FROM to_deployment_id", name="owners"
        ),
    )


class PositionRow(Base):
    """Net position. A flat one stays, for its realised profit."""

    __tablename__ = "positions"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    qty: Mapped[Decimal]
    #: What the open quantity cost, exactly: the books add up over it, not over the average.
    cost: Mapped[Decimal]
    #: Average entry price; zero when flat.
    avg_price: Mapped[Decimal]
    realized_pnl: Mapped[Decimal]
    fees: Mapped[Decimal]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("ix_positions_open", "account_id", postgresql_where=text("qty <> 0")),)


class StrategyPositionRow(Base):
    """What the executions of one deployment leave, or those by hand; their sum is the net one."""

    __tablename__ = "strategy_positions"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    #: Id of a deployment, or `manual`.
    owner: Mapped[str] = mapped_column(primary_key=True)
    qty: Mapped[Decimal]
    cost: Mapped[Decimal]
    avg_price: Mapped[Decimal]
    realized_pnl: Mapped[Decimal]
    fees: Mapped[Decimal]
    updated_at: Mapped[datetime]

    @property
    def deployment_id(self) -> UUID | None:
        return None if self.owner == "manual" else UUID(self.owner)


class LotRow(Base):
    """What one execution opened, and what is open of it; the oldest is closed first."""

    __tablename__ = "lots"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    #: From 1, without gaps.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    symbol: Mapped[str]
    #: What is open; below zero when it is short, zero when it was closed.
    qty: Mapped[Decimal]
    cost: Mapped[Decimal]
    opened_qty: Mapped[Decimal]
    price: Mapped[Decimal]
    opened_by: Mapped[UUID] = mapped_column(ForeignKey("executions.id"))
    opened_at: Mapped[datetime]

    __table_args__ = (Index("ix_lots_open", "account_id", postgresql_where=text("qty <> 0")),)


class LotClosingRow(Base):
    """What one execution closed of one lot."""

    __tablename__ = "lot_closings"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    lot_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    closed_by: Mapped[UUID] = mapped_column(ForeignKey("executions.id"), primary_key=True)
    symbol: Mapped[str]
    qty: Mapped[Decimal]
    cost: Mapped[Decimal]
    proceeds: Mapped[Decimal]
    #: Fees not included.
    realized_pnl: Mapped[Decimal]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime]


class LedgerEntryRow(Base):
    """Cash, entry by entry. `balance` is the running sum of its currency: it always adds up."""

    __tablename__ = "ledger_entries"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    #: From 1, without gaps.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    amount: Mapped[Decimal]
    currency: Mapped[str]
    balance: Mapped[Decimal]
    execution_id: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id"), index=True)
    at: Mapped[datetime]
    #: Of entries that a command made: the name that it gave them, and who sent it.
    client_entry_id: Mapped[str | None]
    submitted_by: Mapped[str | None]
    reason: Mapped[str | None]
    #: Of a transfer, whose halves have one id: what left is below zero, what arrived above.
    transfer_id: Mapped[UUID | None]
    counterpart_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    #: The account's currency for one unit of the entry's, where that is another; of both sides of a
    #: conversion, the rate that it was made at.
    rate: Mapped[Decimal | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(_MODE, name="mode"),
        CheckConstraint(
            "kind IN ('deposit', 'withdrawal', 'interest', 'adjustment', 'transfer', 'fill',"
            " 'fee', 'fx', 'dividend', 'cash_in_lieu')",
            name="kind",
        ),
        CheckConstraint(
            "(kind = 'transfer') = (transfer_id IS NOT NULL AND counterpart_id IS NOT NULL)",
            name="transfer",
        ),
        Index(
            "ix_ledger_entries_client_entry_id",
            "account_id",
            "mode",
            "client_entry_id",
            unique=True,
            postgresql_where=text("client_entry_id IS NOT NULL"),
        ),
        Index(
            "ix_ledger_entries_transfer_id",
            "transfer_id",
            postgresql_where=text("transfer_id IS NOT NULL"),
        ),
    )


class BooksCheckRow(Base):
    """What working the books out again found, the newest progress."""

    __tablename__ = "books_checks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: Of the nightly check: at most one process makes it.
    night: Mapped[date | None] = mapped_column(unique=True)
    status: Mapped[str]
    requested_by: Mapped[str]
    #: None for all accounts.
    account_id: Mapped[UUID | None]
    started_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    books: Mapped[int] = mapped_column(BigInteger)
    executions: Mapped[int] = mapped_column(BigInteger)
    differences: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[list[Any]]
    error: Mapped[str | None]

    __table_args__ = (CheckConstraint("status IN ('running', 'done', 'failed')", name="status"),)


class AccountEventRow(Base):
    """The outbox, and the durable log behind the account topics.

    Written with the change that it tells of, published after the commit. `seq` orders a
    shard's events for publishing; `topic_seq` numbers the frames of one topic without gaps.
    The account's row is referred to by what the event tells of.
    """

    __tablename__ = "account_events"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[UUID]
    topic: Mapped[str]
    topic_seq: Mapped[int] = mapped_column(BigInteger)
    #: The very bytes of the frame that clients receive.
    frame: Mapped[bytes]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("topic", "topic_seq"),)
