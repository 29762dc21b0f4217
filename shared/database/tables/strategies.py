"""Deployments, their snapshots and signals, and backtests. Written by strategy workers."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, utc_now


class DeploymentRow(Base):
    """What should run (`wanted`), and how it goes (`status`)."""

    __tablename__ = "deployments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    mode: Mapped[str]
    strategy: Mapped[str]
    #: Of an uploaded strategy, wanted from the newest version of the parameters on; None for one
    #: of the library.
    strategy_version: Mapped[int | None]
    #: Of the newest version; `applied_version` is the one that decides.
    parameters: Mapped[dict[str, Any]]
    parameters_version: Mapped[int] = mapped_column(default=1, server_default="1")
    applied_version: Mapped[int] = mapped_column(default=0, server_default="0")
    symbols: Mapped[list[Any]]
    timeframe: Mapped[str]
    wanted: Mapped[str] = mapped_column(default="running")
    status: Mapped[str] = mapped_column(default="starting")
    #: What becomes of its working orders when it pauses.
    pause_orders: Mapped[str] = mapped_column(
        default="cancel_entries", server_default="cancel_entries"
    )
    #: Why it is paused: the traceback of the exception, or what the risk ladder said.
    last_error: Mapped[str | None]
    #: The split since which it counts in old shares: it can't go on. None for the others.
    outdated_by: Mapped[UUID | None]
    #: Why it waits by itself, paused until its market data comes again; None when it doesn't.
    hold: Mapped[str | None]
    #: State as of `tape_cursor`: strategy state, history, indicators, position view, and the
    #: orders decided there. JSON, as bytes: JSONB would lose the order of keys. None before
    #: the first.
    snapshot: Mapped[bytes | None]
    tape_cursor: Mapped[str] = mapped_column(default="0-0")
    signals: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    __table_args__ = (
        CheckConstraint("mode IN ('paper', 'live')", name="mode"),
        CheckConstraint("wanted IN ('running', 'paused', 'stopped')", name="wanted"),
        CheckConstraint("status IN ('starting', 'running', 'paused', 'stopped')", name="status"),
        CheckConstraint(
            "pause_orders IN ('cancel_entries', 'cancel_all', 'keep')", name="pause_orders"
        ),
    )


class DeploymentParametersRow(Base):
    """A version of a deployment's parameters and code, and from which mark on it decided."""

    __tablename__ = "deployment_parameters"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    #: From 1 within the deployment.
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    strategy_version: Mapped[int | None]
    parameters: Mapped[dict[str, Any]]
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    #: The tape entry after which it decided, and the market time there; None while it hasn't.
    tape_id: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    #: SHA-256 of the platform's code that decided there.
    code_version: Mapped[str | None]


class StrategyVersionRow(Base):
    """Code that a user uploaded and that was found valid. It is never changed, nor deleted."""

    __tablename__ = "strategy_versions"

    strategy: Mapped[str] = mapped_column(primary_key=True)
    #: From 1 within the strategy. All are of one author.
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(default="pending")
    #: SHA-256 of its files.
    digest: Mapped[str]
    #: Path → source, as MessagePack.
    files: Mapped[bytes]
    manifest: Mapped[dict[str, Any]]
    #: What was tried, and how it came out.
    findings: Mapped[list[Any]]
    uploaded_at: Mapped[datetime] = mapped_column(default=utc_now)
    #: By an admin; a removal by the author too.
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'approved', 'rejected', 'removed')", name="status"),
    )


class DeploymentLogRow(Base):
    """What a strategy logged, and what happened to it. The newest lines are kept."""

    __tablename__ = "deployment_logs"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    #: From 1 within the deployment.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    level: Mapped[str]
    message: Mapped[str]
    fields: Mapped[dict[str, Any]]
    #: Market time, if there had been any.
    at: Mapped[datetime | None]
    stored_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        CheckConstraint("level IN ('debug', 'info', 'warning', 'error')", name="level"),
    )


class DeploymentPlotRow(Base):
    """A point of a series that a strategy draws. The newest are kept."""

    __tablename__ = "deployment_plots"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    #: From 1 within the deployment.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    symbol: Mapped[str | None]
    value: Mapped[float] = mapped_column(Double)
    #: Market time.
    at: Mapped[datetime]


class SignalRow(Base):
    """A decision of a strategy, at most once for its (deployment, seq)."""

    __tablename__ = "signals"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    #: From 1 within the deployment.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    symbol: Mapped[str]
    side: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]


class BacktestRow(Base):
    """A backtest that a user asked for. Its result is there whole, or not at all."""

    __tablename__ = "backtests"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    #: Whose run it makes again; None of an ordinary one.
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployments.id"), index=True)
    #: The user's own name for it: asked again by it, this one is answered.
    client_backtest_id: Mapped[str | None]
    #: SHA-256 of what was asked under that name.
    asked_digest: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="waiting")
    #: All that its run depends on.
    request: Mapped[dict[str, Any]]
    #: The one whose request this is again.
    repeat_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("backtests.id", ondelete="SET NULL"), index=True
    )
    #: Its worker is to end it.
    cancel_wanted: Mapped[bool] = mapped_column(default=False)
    #: How often a worker has begun with it.
    attempts: Mapped[int] = mapped_column(default=0)
    rows_done: Mapped[int] = mapped_column(BigInteger, default=0)
    #: None while it isn't known.
    rows_total: Mapped[int | None] = mapped_column(BigInteger)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    summary: Mapped[dict[str, Any] | None]
    #: Summary, trades, executions and curve: gzipped JSON.
    result: Mapped[bytes | None]
    #: SHA-256 of the result without its settings, of the data, and of the code.
    result_digest: Mapped[str | None]
    data_digest: Mapped[str | None]
    code_version: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "status IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name="status"
        ),
        CheckConstraint("(status = 'done') = (result IS NOT NULL)", name="result"),
        CheckConstraint("(status = 'failed') = (error_code IS NOT NULL)", name="error"),
        Index(
            "uq_backtests_client_backtest_id",
            "owner_id",
            "client_backtest_id",
            unique=True,
            postgresql_where=text("client_backtest_id IS NOT NULL"),
        ),
        Index(
            "ix_backtests_unfinished",
            "created_at",
            postgresql_where=text("status IN ('waiting', 'running')"),
        ),
    )
