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
    field_validator,
    model_validator,
)

from market_data_engine.feeds.synthetic import Regime
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


class ReplayRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: Ids of uploaded files; their prints are merged by time.
    files: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    synthetic: SyntheticRequest | None = None
    #: Seconds of market time a second, or as fast as everyone can follow.
    speed: Literal["max"] | HumanSpeed = "max"

    @model_validator(mode="after")
    def one_source(self) -> Self:
        if (self.files is None) == (self.synthetic is None):
            raise ValueError("give either files or synthetic")
        if self.files is not None and len(set(self.files)) != len(self.files):
            raise ValueError("each file can be given once")
        return self


class Replay(BaseModel):
    id: UUID
    status: Literal["running", "finished", "stopped", "failed"]
    request: dict[str, Any]
    ticks: int
    total_ticks: int | None
    #: Candles built by timeframe over all symbols, the forming ones included.
    candles: dict[str, int]
    market_time: datetime | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @field_validator("candles")
    @classmethod
    def small_timeframes_first(cls, counts: dict[str, int]) -> dict[str, int]:
        return {timeframe: counts[timeframe] for timeframe in TIMEFRAMES if timeframe in counts}


class ReplayList(BaseModel):
    items: list[Replay]
    next_cursor: str | None
