"""What is known of a run that is to be made again, as it is stored with the job."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from shared.models.identifiers import Mode
from shared.models.orders import Side
from strategy_workers.jobs.files import JobFile


class Fill(msgspec.Struct, frozen=True):
    """What counts of an execution."""

    at: datetime
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal


class VersionFrom(msgspec.Struct, frozen=True):
    """Parameters and code that decided after `at`; None: from the beginning."""

    at: datetime | None
    parameters: dict[str, Any]
    #: Of an uploaded strategy.
    strategy_version: int | None = None


class TermsFrom(msgspec.Struct, frozen=True):
    """The account's paper terms of orders from `at` on."""

    at: datetime
    paper_terms: dict[str, Any]


class RecordedRun(msgspec.Struct, frozen=True):
    account_id: UUID
    deployment_id: UUID
    mode: Mode
    symbols: list[str]
    #: The replay that it heard; None of live data.
    replay_id: UUID | None
    #: In the account's order.
    fills: list[Fill]
    versions: list[VersionFrom]
    #: Empty when it has sent no orders on paper.
    terms: list[TermsFrom]
    #: Of a replay of files.
    files: list[JobFile]
    #: Its market time: after this mark it decided, and up to that one; None: from the run's
    #: beginning, to its end.
    begins_at: datetime | None
    ends_at: datetime | None
    #: The data that it heard begins here.
    data_from: datetime | None
    #: SHA-256 of the platform's code that decided.
    code_version: str | None
    #: By the wall clock. Candles that the store has known only since it ended were others for
    #: the run; of live data, those that it has known only since five minutes after their end.
    began_at: datetime
    ended_at: datetime | None
    #: Its first candles were loaded from the store, as of a live run.
    began_warm: bool
    #: Of the account, and of what it can sell short.
    margin: dict[str, Any] | None
    borrow_fee_bps: Decimal
    #: What a run that is made again can't know of, in sentences.
    notes: list[str]
