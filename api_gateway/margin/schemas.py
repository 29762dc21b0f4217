"""Kinds of accounts, as HTTP says it. Bounds are those of `shared/models/margin.py`, which has the
last word on what terms may be."""

from collections.abc import Mapping
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from api_gateway.errors import Refused
from api_gateway.values import Exact, Input, Percent, Rate, UtcTime, View
from shared.models.identifiers import Mode
from shared.models.margin import (
    AccountKind,
    BadMarginTermsError,
    MarginTerms,
    margin_terms_document,
    parse_margin_terms,
)


class MarginTermsChange(Input):
    """What is left out stays as it is; of a new margin account, as they begin."""

    initial_percent: Annotated[
        Percent | None,
        Field(description="Of value, to open a position: 10 to 100; 50.", examples=["50"]),
    ] = None
    maintenance_long_percent: Annotated[
        Percent | None,
        Field(description="To keep a long one: 5 to the initial; 25.", examples=["25"]),
    ] = None
    maintenance_short_percent: Annotated[
        Percent | None,
        Field(description="To keep a short one: 5 to the initial; 30.", examples=["30"]),
    ] = None
    interest_bps: Annotated[
        Rate | None,
        Field(description="A year on borrowed cash, in 1/10,000; 0.", examples=["550"]),
    ] = None


class MarginTermsView(View):
    initial_percent: Percent
    maintenance_long_percent: Percent
    maintenance_short_percent: Percent
    interest_bps: Rate


class MarginChange(MarginTermsChange):
    kind: Annotated[AccountKind | None, Field(description="Left out, it stays.")] = None
    mode: Mode = "paper"

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        given = self.model_dump(exclude={"kind", "mode"}, exclude_none=True)
        if self.kind == "cash" and given:
            raise ValueError("a cash account has no margin terms")
        if self.kind is None and not given:
            raise ValueError("say a kind, or at least one of the terms")
        return self


class MarginFiguresView(View):
    #: At last prices; a position without one counts at its cost.
    equity: Exact
    #: Of the positions.
    initial_requirement: Exact
    maintenance_requirement: Exact
    #: Of working orders, beyond that of the positions.
    order_requirement: Exact
    #: Equity beyond the initial requirement of positions and orders; may be below zero.
    excess: Exact
    #: Value of positions that can still be opened.
    buying_power: Exact
    #: Share of equity that positions and orders require; null without equity.
    use_percent: Exact | None


class MarginCallView(View):
    at: UtcTime
    #: Market time from which on positions are closed, unless equity suffices again.
    due_at: UtcTime
    equity: str
    requirement: str
    #: Rounds of closing orders so far.
    liquidations: int


class MarginView(View):
    account_id: UUID
    mode: Mode
    kind: AccountKind
    #: These three are null of a cash account; the last also without a margin call.
    terms: MarginTermsView | None
    figures: MarginFiguresView | None
    call: MarginCallView | None


#: For the reference.
CHANGES: dict[str, Any] = {
    "margin": {"summary": "A margin account with the usual terms", "value": {"kind": "margin"}},
    "careful": {
        "summary": "Higher requirements, and interest of 5.5 % a year",
        "value": {
            "kind": "margin",
            "initial_percent": "75",
            "maintenance_long_percent": "40",
            "maintenance_short_percent": "45",
            "interest_bps": "550",
        },
    },
    "cash": {"summary": "A cash account again", "value": {"kind": "cash"}},
}


def changed(
    document: Mapping[str, Any] | None, kind: AccountKind | None, change: MarginTermsChange
) -> MarginTerms | None:
    """The terms that stored ones and a change of them make; None of a cash account. Raises
    Refused."""
    given = change.model_dump(exclude_none=True, exclude={"kind", "mode"})
    if kind is None:
        kind = "cash" if document is None else "margin"
    if kind == "cash" and not given:
        return None
    if kind == "cash":
        raise _unusable("a cash account has no margin terms")
    stored = margin_terms_document(parse_margin_terms(document)) or {}
    texts = {name: str(value) for name, value in given.items()}
    try:
        return parse_margin_terms({**stored, **texts})
    except BadMarginTermsError as error:
        raise _unusable(str(error)) from error


def shown(document: Mapping[str, Any] | None) -> MarginTermsView | None:
    """With what was not chosen filled in."""
    terms = parse_margin_terms(document)
    return None if terms is None else MarginTermsView.model_validate(terms)


def _unusable(why: str) -> Refused:
    return Refused(
        "invalid_request",
        "The request can't be used: see errors.",
        {"errors": [{"field": "margin_terms", "message": why}]},
    )
