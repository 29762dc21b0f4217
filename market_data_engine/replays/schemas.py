"""HTTP shapes of replays."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    computed_field,
    field_validator,
    model_validator,
)

from market_data_engine.feeds.synthetic import Regime
from market_data_engine.replays.transport import State
from shared.market_files.lines import is_symbol
from shared.models.identifiers import TIMEFRAMES

_MAX_TICKS = 20_000_000
_EARLIEST = datetime(1998, 1, 1, tzinfo=UTC)


def _symbol(text: str) -> str:
    if not is_symbol(text):
        raise ValueError("a symbol is 1 to 32 of A-Z, 0-9 and ._/-, a letter or digit first")
    return text


SymbolText = Annotated[str, AfterValidator(_symbol)]


class SyntheticRequest(BaseModel):
    """A made-up market; the same settings give the same prints."""

    model_config = ConfigDict(extra="forbid")

    symbols: Annotated[list[SymbolText], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: ["SIM-TREND"]
    )
    #: Rounded down to the minute.
    start: AwareDatetime = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    minutes: Annotated[int, Field(ge=1, le=100_000)] = 390
    trades_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 120
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 1
    #: By default `range` for symbols that end so, else `trend`.
    regime: Regime | None = None

    @model_validator(mode="after")
    def bounds(self) -> Self:
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must differ from each other")
        ticks = self.minutes * self.trades_per_minute * len(self.symbols)
        if ticks > _MAX_TICKS:
            raise ValueError(f"these are {ticks} trades; at most {_MAX_TICKS} are made at once")
        if not _EARLIEST <= self.start < datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC):
            raise ValueError("start must be from 1998 to the end of this year")
        return self


HumanSpeed = Annotated[float, Field(strict=True, ge=0.5, le=100, allow_inf_nan=False)]
#: Seconds of market time a second, or as fast as everyone can follow.
Speed = Literal["max"] | HumanSpeed


def _within_time(moment: datetime) -> datetime:
    if not _EARLIEST <= moment < datetime(2200, 1, 1, tzinfo=UTC):
        raise ValueError("it must be from 1998 on")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_within_time)]


class ReplayRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: Ids of uploaded files; their prints are merged by time.
    files: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    synthetic: SyntheticRequest | None = None
    speed: Speed = "max"
    #: What is earlier is passed over. Rounded down to the minute.
    start_at: Moment | None = None
    #: The user who asked.
    started_by: UUID | None = None

    @model_validator(mode="after")
    def one_source(self) -> Self:
        if (self.files is None) == (self.synthetic is None):
            raise ValueError("give either files or synthetic")
        if self.files is not None and len(set(self.files)) != len(self.files):
            raise ValueError("each file can be given once")
        return self


class SpeedRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    speed: Speed


class SeekRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: Rounded down to the minute.
    to: Moment


class Replay(BaseModel):
    id: UUID
    status: Literal["running", "finished", "stopped", "failed"]
    #: Of a running replay: `pausing` until the mark under way is done. None for others, and for
    #: markets that nobody can pause.
    state: State | None
    #: None: the wall clock's.
    speed: Speed | None
    request: dict[str, Any]
    symbols: list[str]
    #: When its market begins and ends; None for one without end.
    starts_at: datetime | None
    ends_at: datetime | None
    started_by: UUID | None
    #: Prints put on the tape.
    ticks: int
    #: Prints passed over by seeking.
    skipped_ticks: int
    total_ticks: int | None
    #: Candles built by timeframe over all symbols, the forming ones included.
    candles: dict[str, int]
    market_time: datetime | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def progress(self) -> float | None:
        """The share of its prints that is behind it, from 0 to 1."""
        if not self.total_ticks:
            return None
        return round((self.ticks + self.skipped_ticks) / self.total_ticks, 6)

    @field_validator("speed", mode="before")
    @classmethod
    def number_or_max(cls, speed: str | float | None) -> str | float | None:
        """A row has text."""
        return float(speed) if isinstance(speed, str) and speed != "max" else speed

    @field_validator("candles")
    @classmethod
    def small_timeframes_first(cls, counts: dict[str, int]) -> dict[str, int]:
        return {timeframe: counts[timeframe] for timeframe in TIMEFRAMES if timeframe in counts}


class ReplayList(BaseModel):
    items: list[Replay]
    next_cursor: str | None
