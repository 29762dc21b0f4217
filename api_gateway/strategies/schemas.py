"""Shapes of the strategy service, as clients see them."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from api_gateway.values import Input, JsonObject, Name, Symbol, UtcTime, View
from shared.models.identifiers import Mode, Timeframe
from shared.models.orders import Side

StrategyVersion = Annotated[int, Field(ge=1, le=2**31 - 1, examples=[2])]


class InstalledPackage(View):
    name: str
    version: str


class BrokenStrategy(View):
    entry_point: str
    package: InstalledPackage | None
    reason: str


class StrategyView(View):
    name: str
    title: str
    description: str
    #: The newest approved one of an uploaded strategy; null for the library's.
    version: int | None
    #: That it was installed with; null for the library's and for uploaded ones.
    package: InstalledPackage | None
    #: JSON schema, in the order that a form should show them.
    parameters: dict[str, JsonValue]


class StrategyList(View):
    items: list[StrategyView]
    #: What installed packages offer, and can't be used.
    broken: list[BrokenStrategy] = Field(default_factory=list)
    next_cursor: None = None


#: By the strategy's schema.
ParameterValues = Annotated[
    JsonObject, Field(max_length=100, description="By the strategy's schema.")
]


class DeploymentRequest(Input):
    strategy: Annotated[Name, Field(examples=["sma_crossover"])]
    parameters: Annotated[ParameterValues, Field(examples=[{"fast": 10, "slow": 30}])] = Field(
        default_factory=dict
    )
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=50, examples=[["SPY"]])]
    timeframe: Timeframe = "1m"
    mode: Mode = "paper"
    strategy_version: Annotated[
        StrategyVersion | None,
        Field(description="Of an uploaded strategy; left out, the newest that is approved."),
    ] = None


class PauseRequest(Input):
    working_orders: Annotated[
        Literal["cancel_entries", "cancel_all", "keep"],
        Field(description="What becomes of working orders. Entries would add to its position."),
    ] = "cancel_entries"


class ParametersChange(Input):
    parameters: Annotated[
        JsonObject,
        Field(
            max_length=100,
            description="Those that change, by the strategy's schema.",
            examples=[{"fast": 12}],
        ),
    ] = Field(default_factory=dict)
    strategy_version: Annotated[
        StrategyVersion | None,
        Field(description="Of an uploaded strategy: the approved version that goes on from here."),
    ] = None
    version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="Of the parameters that are to be changed; others are refused.",
            examples=[1],
        ),
    ] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.parameters and self.strategy_version is None:
            raise ValueError("name parameters or a version of the strategy")
        return self


class DeploymentView(View):
    id: UUID
    account_id: UUID
    mode: Mode
    strategy: str
    #: Of an uploaded strategy; null for the library's.
    strategy_version: int | None
    parameters: dict[str, JsonValue]
    parameters_version: int
    #: The version that decides; behind until the next mark. 0 before the start.
    applied_version: int
    symbols: list[str]
    timeframe: Timeframe
    wanted: Literal["running", "paused", "stopped"]
    status: Literal["starting", "running", "paused", "stopped"]
    #: Why it is paused: the traceback of the exception, or what the risk ladder said.
    last_error: str | None
    #: Why it waits by itself: it goes on when its market data comes again.
    hold: str | None
    #: Signals so far.
    signals: int
    created_at: UtcTime
    updated_at: UtcTime


class ParametersView(View):
    version: int
    strategy_version: int | None
    parameters: dict[str, JsonValue]
    requested_at: UtcTime
    #: The last entry of the tape before its first mark, and market time there; null before.
    tape_id: str | None
    applied_at: UtcTime | None


class LogLineView(View):
    seq: int
    level: Literal["debug", "info", "warning", "error"]
    message: str
    fields: dict[str, str]
    #: Market time, if there had been any.
    at: UtcTime | None
    stored_at: UtcTime


class PlotPointView(View):
    seq: int
    name: Annotated[str, Field(examples=["fast"])]
    symbol: str | None
    """Beside whose candles it is drawn, if it is of one symbol."""
    value: Annotated[float, Field(examples=[501.25])]
    at: UtcTime
    """Market time."""


class OwnPositionView(View):
    symbol: str
    qty: str
    avg_price: str


class OwnWorkingOrderView(View):
    client_order_id: str
    symbol: str
    side: Side
    open_qty: str
    limit_price: str | None
    stop_price: str | None


class TimerView(View):
    name: str
    #: Null for one that is due with the next candle.
    due_at: UtcTime | None
    every_s: float | None


class VariablesView(View):
    #: Market time of the snapshot that this is read from; null, and all empty, before the first.
    at: UtcTime | None
    tape_id: str | None
    #: What the strategy keeps in `self.state`.
    state: dict[str, JsonValue]
    #: By the strategy's own name for it, then by symbol; several outputs are a list.
    indicators: dict[str, dict[str, JsonValue]]
    last_prices: dict[str, float]
    cash: str | None
    positions: list[OwnPositionView]
    working_orders: list[OwnWorkingOrderView]
    timers: list[TimerView]


class SignalView(View):
    seq: int
    symbol: str
    side: Side
    reason: str
    at: UtcTime
