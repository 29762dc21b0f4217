"""Shapes of parity reports, as clients see them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.accounts.paper_terms import PaperTermsChange
from api_gateway.backtests.schemas import Status
from api_gateway.values import Exact, Input, UtcTime, View
from shared.models.orders import Side

Cause = Literal["data", "code_version", "latency", "fill_model", "fee", "unexplained"]
Verdict = Literal["equal", "explained", "unexplained"]


class ParityRequest(Input):
    """What is to be otherwise than it is now; what isn't named is as it is now."""

    replay_id: Annotated[
        UUID | None, Field(description="The newest that it was there for when left out.")
    ] = None
    paper_terms: Annotated[
        PaperTermsChange | None, Field(description="What is left out is as the account has it now.")
    ] = None
    strategy_version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="Of an uploaded strategy; those of the run when left out.",
        ),
    ] = None
    file_ids: Annotated[
        list[UUID] | None,
        Field(
            min_length=1,
            max_length=50,
            description="Market files in place of those of the replay: corrected ones, say.",
        ),
    ] = None


class ParitySummary(View):
    verdict: Verdict
    run_executions: int
    rerun_executions: int
    #: Executions of the run that came out the same.
    equal: int
    different: int
    #: How many of the differences each cause explains; one in several fields can have several.
    by_cause: dict[Cause, int]
    #: What the run was made again from: all prints, or candles of a minute.
    data: Literal["files", "candles"]
    #: Fingerprints of the platform's code.
    code_version: dict[Literal["run", "now"], str | None]


class ParityReportView(View):
    id: UUID
    deployment_id: UUID
    #: Null for a run of live data.
    replay_id: UUID | None
    status: Status
    rows_done: int
    rows_total: int | None
    error_code: str | None
    error: str | None
    #: Null until it is done.
    summary: ParitySummary | None
    created_at: UtcTime
    finished_at: UtcTime | None


class ParityFill(View):
    at: UtcTime
    symbol: str
    side: Side
    qty: Exact
    price: Exact
    fee: Exact


class ParityCause(View):
    #: Null for an execution that only one side has.
    field: Literal["at", "qty", "price", "fee"] | None
    cause: Cause


class ParityDifference(View):
    kind: Literal["differs", "only_in_run", "only_in_rerun"]
    run: ParityFill | None
    rerun: ParityFill | None
    causes: list[ParityCause]


class ParityStep(View):
    #: As it was in the run again, besides those of the steps before; null: nothing.
    put_back: Cause | None
    executions: int
    different: int


class ParityDetails(ParitySummary):
    steps: list[ParityStep]
    #: At most 5,000.
    differences: list[ParityDifference]
    #: What a run that is made again can't know of.
    notes: list[str]


class ParityReportDetails(ParityReportView):
    #: Null until it is done.
    report: ParityDetails | None
