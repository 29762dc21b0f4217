"""Margin accounts: what they must keep, and how they stand."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from shared.trading.bounds import within

AccountKind = Literal["cash", "margin"]


class MarginTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In percent of the value of positions, long or short."""

    #: To open a position, and for orders that would.
    initial_percent: Decimal = Decimal(50)
    #: To keep it.
    maintenance_long_percent: Decimal = Decimal(25)
    maintenance_short_percent: Decimal = Decimal(30)
    #: A year, on cash that was borrowed.
    interest_bps: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        within("initial_percent", self.initial_percent, 10, 100)
        for name in ("maintenance_long_percent", "maintenance_short_percent"):
            within(name, getattr(self, name), 5, 100)
            if getattr(self, name) > self.initial_percent:
                raise ValueError(f"{name} must not be above initial_percent")
        within("interest_bps", self.interest_bps, 0, 1000)


class BadMarginTermsError(Exception):
    """The document is not one of terms; says where and why."""


def parse_margin_terms(document: object) -> MarginTerms | None:
    """From what JSON decodes to; None of a cash account. Raises BadMarginTermsError."""
    try:
        return msgspec.convert(document, MarginTerms | None)
    except msgspec.ValidationError as error:
        raise BadMarginTermsError(str(error)) from error


def margin_terms_document(terms: MarginTerms | None) -> dict[str, Any] | None:
    """What `parse_margin_terms` reads: numbers that are exact are texts."""
    document: dict[str, Any] | None = msgspec.to_builtins(terms)
    return document


class MarginFigures(msgspec.Struct, frozen=True):
    """Of a margin account at last prices; a position without one counts at its cost."""

    equity: Decimal
    #: Of the positions.
    initial_requirement: Decimal
    maintenance_requirement: Decimal
    #: Of working orders, beyond that of the positions.
    order_requirement: Decimal
    #: Equity beyond the initial requirement of positions and orders; may be below zero.
    excess: Decimal
    #: Value of positions that can still be opened.
    buying_power: Decimal
    #: Share of equity that positions and orders require; None without equity.
    use_percent: Decimal | None


class Carried(msgspec.Struct, frozen=True):
    """Interest and borrow fees were paid for the days before `until`."""

    #: A UTC day of market time.
    until: date
    #: The paced run whose time that was; empty where the wall clock is the time.
    run_id: str


class MarginCall(msgspec.Struct, frozen=True):
    """Equity has fallen below the maintenance requirement."""

    at: datetime
    #: Market time from which on positions are closed, unless equity suffices again.
    due_at: datetime
    equity: str
    requirement: str
    #: Rounds of closing orders so far.
    liquidations: int = 0
