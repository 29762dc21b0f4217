"""How paper orders fill and what that costs, as HTTP says it. The rules are those of
`shared/trading/paper_terms.py`, which has the last word on what a document may say."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api_gateway.errors import Refused
from api_gateway.values import Fee, Input, Percent, Rate, Turnover, View
from shared.trading.paper_terms import (
    BadPaperTermsError,
    PaperTerms,
    paper_terms_document,
    parse_paper_terms,
)


class NoCommission(Input):
    model: Literal["none"]


class PercentCommission(Input):
    """Basis points of value."""

    model: Literal["percent"]
    bps: Annotated[Rate, Field(description="1/10,000 of value.", examples=["1"])]


class PerShareCommission(Input):
    model: Literal["per_share"]
    amount: Annotated[Fee, Field(description="Per unit of quantity.", examples=["0.005"])]
    minimum: Annotated[Fee, Field(description="Per order.", examples=["1"])] = Decimal(0)
    maximum_percent: Annotated[
        Percent | None,
        Field(description="Of the order's value; counts more than the minimum.", examples=["1"]),
    ] = None


class PerOrderCommission(Input):
    model: Literal["per_order"]
    amount: Annotated[Fee, Field(description="With the first execution.", examples=["1"])]


class Tier(Input):
    from_value: Annotated[Turnover, Field(description="Value from which on the rate holds.")]
    bps: Rate


class TieredCommission(Input):
    """Each rate holds for the value between its tier and the next alone."""

    model: Literal["tiered"]
    per: Annotated[
        Literal["order", "month"],
        Field(description="Value of the order, or of the account in the calendar month (UTC)."),
    ]
    tiers: Annotated[
        list[Tier],
        Field(
            min_length=1,
            max_length=20,
            description="Ascending; the first from 0.",
            examples=[[{"from_value": "0", "bps": "10"}, {"from_value": "100000", "bps": "5"}]],
        ),
    ]


class MakerTakerCommission(Input):
    """Basis points of value; the maker's for orders that rested at their limit."""

    model: Literal["maker_taker"]
    maker_bps: Annotated[Rate, Field(examples=["2"])]
    taker_bps: Annotated[Rate, Field(examples=["5"])]


Commission = Annotated[
    NoCommission
    | PercentCommission
    | PerShareCommission
    | PerOrderCommission
    | TieredCommission
    | MakerTakerCommission,
    Field(discriminator="model"),
]


class NoSlippage(Input):
    model: Literal["none"]


class BpsSlippage(Input):
    model: Literal["bps"]
    bps: Annotated[Rate, Field(description="1/10,000 of price.", examples=["1"])]


class TickSlippage(Input):
    model: Literal["ticks"]
    ticks: Annotated[int, Field(ge=0, le=1000, strict=True, examples=[1])]


class SquareRootSlippage(Input):
    model: Literal["square_root"]
    bps: Annotated[
        Rate,
        Field(
            description="1/10,000 of price where the quantity is the print's size; it grows with "
            "the square root of quantity over size.",
            examples=["10"],
        ),
    ]


class SpreadSlippage(Input):
    model: Literal["spread"]
    percent: Annotated[
        Percent,
        Field(description="Of the quote's spread; nothing without a quote.", examples=["25"]),
    ]


Slippage = Annotated[
    NoSlippage | BpsSlippage | TickSlippage | SquareRootSlippage | SpreadSlippage,
    Field(discriminator="model"),
]


Queue = Literal["last", "front", "displayed"]
Latency = Annotated[int, Field(ge=0, le=10_000, strict=True, examples=[50])]


class PaperTermsChange(Input):
    """What is left out stays as it is; of a new account, as accounts begin."""

    commission: Commission | None = None
    slippage: Slippage | None = None
    participation_percent: Annotated[
        Percent | None,
        Field(
            description="Share of each print's size that the account's orders fill together; "
            "0: any quantity.",
            examples=["10"],
        ),
    ] = None
    extended_hours: Annotated[
        bool | None,
        Field(
            strict=True,
            description="Whether orders that don't say it themselves fill outside of regular "
            "hours too.",
        ),
    ] = None
    queue: Annotated[
        Queue | None,
        Field(
            description="Who goes before an order that rests, where a print comes to its limit: "
            "all that the quote shows, nobody, or what the quote showed when the order came.",
        ),
    ] = None
    latency_ms: Annotated[
        Latency | None, Field(description="Market time until what is sent is at the market.")
    ] = None
    latency_jitter_ms: Annotated[
        Latency | None,
        Field(description="At most so much longer, drawn from the order's id: always the same."),
    ] = None


class PaperTermsView(View):
    commission: Commission
    slippage: Slippage
    participation_percent: Percent
    extended_hours: bool
    queue: Queue
    latency_ms: int
    latency_jitter_ms: int


#: For the reference.
CHANGES: dict[str, Any] = {
    "per_share": {
        "summary": "Half a cent a share, at least 1 an order",
        "value": {
            "commission": {
                "model": "per_share",
                "amount": "0.005",
                "minimum": "1",
                "maximum_percent": "1",
            }
        },
    },
    "small_market": {
        "summary": "A tenth of each print, with impact",
        "value": {
            "slippage": {"model": "square_root", "bps": "10"},
            "participation_percent": "10",
        },
    },
    "distant": {
        "summary": "50 to 70 ms from the market, behind what the quote shows",
        "value": {"queue": "displayed", "latency_ms": 50, "latency_jitter_ms": 20},
    },
    "regular_hours": {
        "summary": "Orders wait for regular hours, unless they say otherwise",
        "value": {"extended_hours": False},
    },
    "monthly_tiers": {
        "summary": "10 bps for the first 100,000 of a month, 5 beyond",
        "value": {
            "commission": {
                "model": "tiered",
                "per": "month",
                "tiers": [
                    {"from_value": "0", "bps": "10"},
                    {"from_value": "100000", "bps": "5"},
                ],
            }
        },
    },
}


def changed(document: Mapping[str, Any], change: BaseModel | None) -> PaperTerms:
    """The terms that a stored document and a change of it make. Raises Refused."""
    given = {} if change is None else change.model_dump(exclude_none=True)
    try:
        return parse_paper_terms({**document, **given})
    except BadPaperTermsError as error:
        raise Refused(
            "invalid_request",
            "The request can't be used: see errors.",
            {"errors": [{"field": "paper_terms", "message": str(error)}]},
        ) from error


def shown(document: Mapping[str, Any]) -> PaperTermsView:
    """With what was not chosen filled in."""
    return PaperTermsView.model_validate(paper_terms_document(parse_paper_terms(document)))
