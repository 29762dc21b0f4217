"""Shapes that the market data engine answers, as clients see them; only documented here."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from api_gateway.values import Exact, Input, MarketTime, Symbol, UtcTime, View
from shared.models.identifiers import Timeframe


class InstrumentView(View):
    symbol: str
    name: str
    #: MIC of the exchange; `24/7` for markets that never close.
    exchange: str
    currency: str
    tick_size: Exact
    lot_size: Exact
    tradable: bool
    #: It is easy to borrow, and so can be sold short.
    shortable: bool
    #: A year, on the value of what was borrowed.
    borrow_fee_bps: Exact


class CandleView(View):
    start: UtcTime
    #: Exclusive.
    end: UtcTime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int
    #: False for the forming one, which can only be the last.
    complete: bool
    #: `live`, `replay`, `synthetic`, or a provider of history; several are joined by `+`. Null for
    #: the forming one, as are the next two.
    source: str | None = Field(examples=["live"])
    #: `partial`: the feed was away during part of it; `healed`: asked of a provider afterwards.
    quality: Literal["complete", "partial", "healed"] | None
    #: When it was known here.
    as_of: UtcTime | None


class CandlePage(View):
    symbol: str
    timeframe: Timeframe
    items: list[CandleView]
    next_cursor: str | None


class IndicatorView(View):
    name: str
    title: str
    #: JSON schema.
    parameters: dict[str, JsonValue]
    outputs: list[str]
    #: What it reads of a candle.
    inputs: list[str]
    #: Candles to the first value, with the default parameters.
    warm_up: int
    #: Kept up to date candle by candle; the others are calculated over the history.
    incremental: bool


class IndicatorList(View):
    items: list[IndicatorView]
    next_cursor: None = None


class IndicatorPoint(View):
    #: Start of the candle.
    at: UtcTime
    #: Of the first output; None while the indicator warms up.
    value: float | None
    #: Of each output, by its name.
    values: dict[str, float | None]
    #: False for the value over the forming candle.
    complete: bool


class IndicatorPage(View):
    name: str
    symbol: str
    timeframe: Timeframe
    items: list[IndicatorPoint]
    next_cursor: str | None


class MarketFileView(View):
    id: UUID
    name: str
    kind: Literal["trades", "quotes"] = Field(examples=["trades"])
    sha256: str
    rows: int
    symbols: list[str]
    first_at: UtcTime
    last_at: UtcTime
    created_at: UtcTime


class SyntheticMarket(Input):
    """A made-up market, the same for the same settings. The engine has defaults for all."""

    symbols: Annotated[list[Symbol] | None, Field(min_length=1, max_length=100)] = None
    start: UtcTime | None = None
    minutes: Annotated[int | None, Field(ge=1, le=100_000)] = None
    trades_per_minute: Annotated[int | None, Field(ge=1, le=10_000)] = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    regime: Literal["trend", "range", "volatile", "quiet", "gap", "flash-crash", "halt"] | None = (
        None
    )


Speed = Annotated[
    Literal["max"] | Annotated[float, Field(strict=True, ge=0.5, le=100, allow_inf_nan=False)],
    Field(
        description="Times as fast as the market was, or as fast as possible.", examples=[10, "max"]
    ),
]


class ReplaySpeed(Input):
    speed: Speed


class ReplaySeek(Input):
    to: Annotated[
        MarketTime,
        Field(
            description="Later than the replay's market time. Rounded down to the minute.",
            examples=["2026-03-19T15:30:00Z"],
        ),
    ]


class ReplayRequest(Input):
    files: Annotated[
        list[UUID] | None, Field(min_length=1, max_length=100, description="Ids of market files.")
    ] = None
    synthetic: SyntheticMarket | None = None
    speed: Speed = "max"
    start_at: Annotated[
        MarketTime | None,
        Field(
            description="Passes over what is earlier, as seeking does. Rounded down to the minute."
        ),
    ] = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.files is None) == (self.synthetic is None):
            raise ValueError("give either files or synthetic")
        return self


class ReplayView(View):
    id: UUID
    status: Literal["running", "finished", "stopped", "failed"]
    #: Of a running replay; `pausing` until the time mark under way is done. Null for others, and
    #: for markets that go with the wall clock.
    state: Literal["playing", "pausing", "paused", "seeking"] | None
    #: Null for markets that go with the wall clock.
    speed: Literal["max"] | float | None = Field(examples=[10])
    #: What was asked for.
    request: dict[str, Any]
    symbols: list[str]
    #: When its market begins and ends; null for one without end.
    starts_at: UtcTime | None
    ends_at: UtcTime | None
    #: The user who asked for it.
    started_by: UUID | None
    #: Trades that everyone has seen.
    ticks: int
    #: Trades passed over by seeking.
    skipped_ticks: int
    total_ticks: int | None
    #: The share of its trades that is behind it, from 0 to 1.
    progress: float | None
    #: Candles by timeframe, the forming ones included.
    candles: dict[str, int]
    market_time: UtcTime | None
    error: str | None
    created_at: UtcTime
    finished_at: UtcTime | None


class ImportedSeriesView(View):
    symbol: str
    candles: int
    #: Starts of the first and the last one.
    first: UtcTime
    last: UtcTime


class ImportedFileView(View):
    timeframe: Timeframe
    candles: int
    items: list[ImportedSeriesView]


class CandleSeriesView(View):
    symbol: str
    timeframe: Timeframe
    candles: int
    #: Starts of the first and the last one.
    first: UtcTime
    last: UtcTime
    #: Where its candles come from.
    sources: list[str] = Field(examples=[["import", "replay"]])


class FeedView(View):
    name: str
    symbols: list[str]
    #: `unavailable` lacks a setting; `idle` is followed by nobody now; `lost`, `throttled` and
    #: `refused` are tried again by themselves.
    state: Literal["unavailable", "idle", "connecting", "live", "lost", "throttled", "refused"]
    #: Why it isn't live, in one sentence.
    problem: str | None
    #: Connections lost since the run began.
    losses: int
    #: Since anything was told; null when nothing has been yet.
    silent_s: float | None
    #: Strategies that depend on it wait.
    stale: bool


class FeedList(View):
    items: list[FeedView]
    next_cursor: None = None
