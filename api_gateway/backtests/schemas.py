"""Shapes of backtests, as clients see them."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from api_gateway.accounts.paper_terms import PaperTermsChange, PaperTermsView
from api_gateway.margin.schemas import MarginTermsChange, MarginTermsView
from api_gateway.strategies.schemas import ParameterValues
from api_gateway.values import (
    Capital,
    Exact,
    Input,
    MarketDay,
    Name,
    Rate,
    Symbol,
    UtcTime,
    View,
)
from shared.models.identifiers import Mode, Timeframe
from shared.models.orders import Side

Status = Literal["waiting", "running", "done", "failed", "cancelled"]


class StoredCandles(Input):
    """Candles of the platform's store."""

    source: Literal["candles"]
    timeframe: Annotated[
        Timeframe | None,
        Field(description="Of the candles that are read; the strategy's own when left out."),
    ] = None


class MarketFiles(Input):
    """Files of trades and quotes that the platform has (`GET /market-files`)."""

    source: Literal["files"]
    file_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)]


class BacktestRequest(Input):
    strategy: Annotated[Name, Field(examples=["sma_crossover"])]
    parameters: Annotated[ParameterValues, Field(examples=[{"fast": 10, "slow": 30}])] = Field(
        default_factory=dict
    )
    strategy_version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="Of an uploaded strategy; the newest approved one when left out.",
        ),
    ] = None
    symbols: Annotated[
        list[Symbol],
        Field(
            max_length=50,
            description="Needed for candles. Files are read whole: their symbols, or none.",
            examples=[["SPY"]],
        ),
    ] = Field(default_factory=list)
    timeframe: Timeframe = "1m"
    data: Annotated[
        StoredCandles | MarketFiles,
        Field(discriminator="source", examples=[{"source": "candles"}]),
    ]
    start: Annotated[
        MarketDay | None, Field(description="First day, in UTC.", examples=["2026-01-02"])
    ] = None
    end: Annotated[
        MarketDay | None, Field(description="Last day, in UTC.", examples=["2026-03-19"])
    ] = None
    capital: Capital = Decimal(100_000)
    paper_terms: Annotated[
        PaperTermsChange | None,
        Field(description="Fee, slippage and fill model, as of an account's paper market."),
    ] = None
    margin_terms: Annotated[
        MarginTermsChange | None,
        Field(
            description="Makes it a margin account, which borrows and sells short; what is left "
            "out is as of a new one.",
            examples=[{"initial_percent": "50", "interest_bps": "600"}],
        ),
    ] = None
    borrow_fee_bps: Annotated[
        Rate | None,
        Field(description="A year on what is sold short; the instruments' own when left out."),
    ] = None
    client_backtest_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[\x21-\x7e]+$",
            description="A name of yours: asked again by it, the first one is answered.",
            examples=["spy-2026-03"],
        ),
    ] = None


class BacktestDeployment(Input):
    account_id: UUID
    mode: Mode = "paper"


class BacktestFile(View):
    id: UUID
    name: str
    sha256: str


class BacktestSettings(View):
    """What is run: defaults filled in, and the terms of the instruments at that time."""

    strategy: str
    parameters: dict[str, JsonValue]
    symbols: list[str]
    timeframe: Timeframe
    source: Literal["candles", "files"]
    data_timeframe: Timeframe | None
    files: list[BacktestFile]
    start: MarketDay | None
    end: MarketDay | None
    capital: Exact
    paper_terms: PaperTermsView
    exchange: str
    currency: str
    tick_size: Exact
    lot_size: Exact
    #: None of a cash account.
    margin_terms: MarginTermsView | None = None
    borrow_fee_bps: Exact = Decimal(0)
    shortable: bool = True
    #: Of an uploaded strategy.
    strategy_version: int | None = None


class RepetitionView(View):
    same_result: bool
    same_data: bool
    same_code: bool


class MetricsView(View):
    """Fractions are of 1; null where a figure is undefined."""

    total_return_fraction: float | None
    annual_return_fraction: float | None
    max_drawdown: Exact
    max_drawdown_fraction: float
    max_drawdown_duration_s: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    #: Closed round trips.
    trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: Exact | None
    exposure_fraction: float
    #: Of buying all symbols equally at their first close and holding them, without costs.
    buy_and_hold_fraction: float | None


class SummaryView(View):
    #: What is needed to run it again, fingerprints of data and code among it.
    settings: dict[str, JsonValue]
    first: UtcTime
    last: UtcTime
    #: Candles or trades that were read.
    rows: int
    #: That the strategy decided on.
    candles: int
    signals: int
    orders: int
    execution_count: int
    rejected: int
    refused: int
    cash: Exact
    equity: Exact
    realized_pnl: Exact
    fees: Exact
    position: dict[str, str]
    metrics: MetricsView
    #: Intervals without candles: how many, and the longest.
    gaps: dict[str, JsonValue]
    #: Equal for runs that traded alike.
    executions_digest: str


class BacktestView(View):
    id: UUID
    owner_id: UUID
    client_backtest_id: str | None
    status: Status
    request: BacktestSettings
    #: The backtest that this one repeats, and what came out the same once both are done.
    repeat_of: UUID | None
    repetition: RepetitionView | None
    #: How often a worker has begun with it.
    attempts: int
    rows_done: int
    #: Null while it isn't known.
    rows_total: int | None
    #: Why it failed; of a strategy that raised, the traceback.
    error_code: str | None
    error: str | None
    #: Null until it is done.
    summary: SummaryView | None
    code_version: str | None
    data_digest: str | None
    #: Equal for runs with the same result to the last digit.
    result_digest: str | None
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None


class ClosedTradeView(View):
    symbol: str
    opened_at: UtcTime
    closed_at: UtcTime
    profit: Exact


class BacktestExecutionView(View):
    seq: int
    at: UtcTime
    symbol: str
    side: Side
    qty: Exact
    price: Exact
    fee: Exact
    realized_pnl: Exact


class BacktestResult(SummaryView):
    trades: list[ClosedTradeView]
    executions: list[BacktestExecutionView]
    #: At most 2,000 points of time and equity.
    equity_curve: list[tuple[UtcTime, Exact]]


class ComparedFigure(View):
    name: str
    #: As text for people, in the order of the backtests.
    values: list[str]


class BacktestComparison(View):
    items: list[BacktestView]
    figures: list[ComparedFigure]
    #: The settings that aren't all alike.
    differences: list[ComparedFigure]


#: For a route that answers a page.
PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page with tables and charts; it needs nothing from elsewhere.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}
