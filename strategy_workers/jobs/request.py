"""What a job is to do: all that its run depends on, as it is stored and handed to the process."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal, Self

import msgspec

from shared.models.identifiers import Timeframe
from strategy_workers.jobs.files import JobFile
from strategy_workers.parity.run import RecordedRun
from strategy_workers.sandbox.frames import Manifest


class JobRequest(msgspec.Struct, frozen=True):
    strategy: str
    #: Complete, as JSON values.
    parameters: dict[str, Any]
    symbols: list[str]
    timeframe: Timeframe
    source: Literal["candles", "files"]
    #: Candles of the store that are read; None for files.
    data_timeframe: Timeframe | None
    files: list[JobFile]
    #: Days in UTC, both included; None is open.
    start: date | None
    end: date | None
    capital: Decimal
    paper_terms: dict[str, Any]
    #: Of all instruments, as they were when it was asked for.
    exchange: str
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    #: Of a margin account; None of a cash account, for which the others say nothing.
    margin_terms: dict[str, Any] | None = None
    borrow_fee_bps: Decimal = Decimal(0)
    shortable: bool = True
    #: Of an uploaded strategy.
    strategy_version: int | None = None
    #: The run that is made again, with all else as it is asked to be now.
    run: RecordedRun | None = None

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.to_builtins(self)
        if self.run is None:
            del document["run"]
        return document

    @property
    def uploaded_versions(self) -> set[int]:
        """Whose code it needs."""
        versions = {self.strategy_version}
        if self.run is not None:
            versions |= {one.strategy_version for one in self.run.versions}
        return {one for one in versions if one is not None}

    @classmethod
    def of(cls, document: object) -> Self:
        return msgspec.convert(document, cls)


class UploadedCode(msgspec.Struct, frozen=True):
    """A version of the job's strategy that a user uploaded: it runs confined."""

    version: int
    manifest: Manifest
    files: dict[str, bytes]


class JobOrder(msgspec.Struct, frozen=True):
    """The line that a job's process reads first."""

    request: JobRequest
    folder: str
    market_data_url: str
    internal_token: str
    calendar_folder: str | None
    max_rows: int
    uploaded: list[UploadedCode] = []
    #: Of the process of an uploaded strategy.
    hook_timeout_s: float = 2.0
    memory_mib: int = 512


class JobProgress(msgspec.Struct, frozen=True):
    """A line of its answer. `total` is unknown while the data is being read."""

    done: int
    total: int | None = None


class JobFailure(msgspec.Struct, frozen=True, tag="failed"):
    code: str
    message: str


class JobDone(msgspec.Struct, frozen=True, tag="done"):
    """Besides it, the whole result is in the folder as gzipped JSON."""

    #: With the digest of the executions.
    summary: dict[str, Any]
    #: Of everything but the settings.
    result_digest: str
    #: Of the data's contents.
    data_digest: str
    code_version: str


OUTCOME_FILE = "outcome.json"
RESULT_FILE = "result.json.gz"
