"""Instruments, candles, imported files and replays. Written by the market data engine alone."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, utc_now


class InstrumentRow(Base):
    __tablename__ = "instruments"

    #: Canonical id.
    symbol: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: MIC of the exchange whose calendar applies; `24/7` for markets that never close.
    exchange: Mapped[str]
    currency: Mapped[str]
    tick_size: Mapped[Decimal]
    lot_size: Mapped[Decimal]
    tradable: Mapped[bool] = mapped_column(default=True)
    #: It is easy to borrow, and so can be sold short.
    shortable: Mapped[bool] = mapped_column(default=True)
    #: A year, on the value of what was borrowed.
    borrow_fee_bps: Mapped[Decimal] = mapped_column(default=Decimal(0))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        CheckConstraint("tick_size > 0", name="tick_size"),
        CheckConstraint("lot_size > 0", name="lot_size"),
        CheckConstraint("borrow_fee_bps >= 0", name="borrow_fee_bps"),
    )


class CandleRow(Base):
    """One completed candle. Its key makes writing it twice change nothing."""

    __tablename__ = "candles"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    end: Mapped[datetime]
    open: Mapped[float] = mapped_column(Double)
    high: Mapped[float] = mapped_column(Double)
    low: Mapped[float] = mapped_column(Double)
    close: Mapped[float] = mapped_column(Double)
    volume: Mapped[float] = mapped_column(Double)
    vwap: Mapped[float] = mapped_column(Double)
    trades: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str]
    #: `complete`, `partial` or `healed`.
    quality: Mapped[str]
    #: When it was known here, by the wall clock.
    as_of: Mapped[datetime]


class SymbolMappingRow(Base):
    """What a symbol is called at a broker or a provider."""

    __tablename__ = "symbol_mappings"

    party: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(ForeignKey("instruments.symbol"), primary_key=True)
    token: Mapped[str]
    #: As they call it.
    exchange: Mapped[str | None]
    kind: Mapped[str | None]
    lot_size: Mapped[Decimal | None]
    tick_size: Mapped[Decimal | None]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        # A name that meant two symbols would send orders for the wrong one.
        UniqueConstraint("party", "token"),
        CheckConstraint("lot_size > 0", name="lot_size"),
        CheckConstraint("tick_size > 0", name="tick_size"),
        Index("ix_symbol_mappings_symbol", "symbol", "party"),
    )


class MissingSymbolMappingRow(Base):
    """A symbol that somebody needed a name of, where none is known. Written by whoever did."""

    __tablename__ = "missing_symbol_mappings"

    party: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    exchange: Mapped[str]
    first_at: Mapped[datetime]


class MarketDataConfigurationRow(Base):
    """Providers, policies, thresholds and tiers. The newest version is in force."""

    __tablename__ = "market_data_configurations"

    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    configuration: Mapped[dict[str, Any]]
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class DataJobRow(Base):
    """A range of candles to be asked of a provider. Done ones say what was looked at already."""

    __tablename__ = "data_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    #: `backfill`: what is missing; `bars_fetch`: all of the range anew; `fold`: larger candles.
    kind: Mapped[str]
    tier: Mapped[str]
    symbol: Mapped[str]
    start: Mapped[datetime]
    #: Exclusive.
    end: Mapped[datetime]
    status: Mapped[str]
    #: Failures of providers that were asked.
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(default=utc_now)
    #: Who answered, and how many candles that changed.
    provider: Mapped[str | None]
    candles: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str | None]
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        CheckConstraint("kind IN ('backfill', 'bars_fetch', 'fold')", name="kind"),
        CheckConstraint("tier IN ('T0', 'T1', 'T2')", name="tier"),
        CheckConstraint("status IN ('queued', 'running', 'done', 'dead')", name="status"),
        CheckConstraint('start < "end"', name="range"),
        # The same work waits once.
        Index(
            "uq_data_jobs_open", "kind", "symbol", "start", "end", unique=True,
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
        Index("ix_data_jobs_next", "status", "tier", "not_before"),
        Index("ix_data_jobs_symbol", "symbol", "end"),
    )  # fmt: skip


class DataCursorRow(Base):
    """How far a source has told of a symbol, without a gap since `since`."""

    __tablename__ = "data_cursors"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    #: `live`, or a provider.
    source: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_data_cursors_until", "symbol", "until"),)


class MarketFileRow(Base):
    """A file of trades or quotes that an admin uploaded, checked before it was accepted."""

    __tablename__ = "market_files"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    #: `trades` or `quotes`.
    kind: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    symbols: Mapped[list[Any]]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class SilentSymbolRow(Base):
    """A symbol whose live feed is silent. Strategies that depend on it wait."""

    __tablename__ = "silent_symbols"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    feed: Mapped[str]
    since: Mapped[datetime]
    #: A sentence for people.
    reason: Mapped[str]


class ReplayRow(Base):
    __tablename__ = "replays"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    status: Mapped[str]
    #: Of a running one that can be paused: playing, pausing, paused, seeking.
    state: Mapped[str | None]
    #: `max`, or seconds of market time a second, as it is now; None for the wall clock's.
    speed: Mapped[str | None]
    #: What was asked for: files or synthetic settings, speed.
    request: Mapped[dict[str, Any]]
    symbols: Mapped[list[Any]]
    #: When its market begins and ends; None for one without end.
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    #: The user who asked for it; None for the engine's own.
    started_by: Mapped[UUID | None]
    ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    #: Prints passed over by seeking.
    skipped_ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    total_ticks: Mapped[int | None] = mapped_column(BigInteger)
    #: Candles built so far by timeframe, the forming ones included.
    candles: Mapped[dict[str, Any]]
    market_time: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('running', 'finished', 'stopped', 'failed')", name="status"),
        CheckConstraint(
            "state IN ('playing', 'pausing', 'paused', 'seeking') AND status = 'running'"
            " OR state IS NULL",
            name="state",
        ),
    )
