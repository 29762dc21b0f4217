from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from api_gateway.accounts.paper_terms import (
    BpsSlippage,
    PaperTermsChange,
    PaperTermsView,
    PercentCommission,
    shown,
)
from api_gateway.margin.schemas import (
    MarginFiguresView,
    MarginTermsChange,
    MarginTermsView,
    changed,
)
from api_gateway.margin.schemas import shown as shown_margin
from api_gateway.values import BasisPoints, Capital, Currency, Exact, Input, Title, UtcTime, View
from shared.models.identifiers import Mode
from shared.models.margin import AccountKind, MarginTerms


class AccountOpening(Input):
    name: Annotated[Title, Field(description="Unique among your accounts.", examples=["Swing"])]
    base_currency: Annotated[Currency, Field(description="ISO 4217.")] = "USD"
    paper_capital: Annotated[
        Capital, Field(description="Cash that the paper books open with.", examples=["100000"])
    ] = Decimal(100_000)
    paper_fee_bps: Annotated[
        BasisPoints | None,
        Field(description="Short for a `percent` commission: 1/10,000 of value.", examples=["1"]),
    ] = None
    paper_slippage_bps: Annotated[
        BasisPoints | None,
        Field(description="Short for `bps` slippage: 1/10,000 of price.", examples=["1"]),
    ] = None
    paper_terms: Annotated[
        PaperTermsChange | None,
        Field(description="How paper orders fill and what that costs; 1 bps each by default."),
    ] = None

    kind: Annotated[
        AccountKind, Field(description="A margin account borrows cash, and sells short.")
    ] = "cash"
    margin_terms: Annotated[MarginTermsChange | None, Field(description="Of a margin account.")] = (
        None
    )

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        terms = self.paper_terms or PaperTermsChange()
        if self.paper_fee_bps is not None and terms.commission is not None:
            raise ValueError("give paper_fee_bps or a commission, not both")
        if self.paper_slippage_bps is not None and terms.slippage is not None:
            raise ValueError("give paper_slippage_bps or a slippage, not both")
        return self

    def chosen_margin(self) -> MarginTerms | None:
        """Raises Refused."""
        return changed(None, self.kind, self.margin_terms or MarginTermsChange())

    def chosen_terms(self) -> PaperTermsChange:
        fee, slippage = self.paper_fee_bps, self.paper_slippage_bps
        terms = self.paper_terms or PaperTermsChange()
        if fee is not None:
            commission = PercentCommission(model="percent", bps=fee)
            terms = terms.model_copy(update={"commission": commission})
        if slippage is not None:
            terms = terms.model_copy(update={"slippage": BpsSlippage(model="bps", bps=slippage)})
        return terms


class AccountView(View):
    id: UUID
    owner_id: UUID
    name: str
    base_currency: str
    status: Literal["active", "closed"]
    paper_capital: Exact
    paper_terms: Annotated[PaperTermsView, BeforeValidator(shown)]
    #: None of a cash account.
    margin_terms: Annotated[MarginTermsView | None, BeforeValidator(shown_margin)]
    created_at: UtcTime


class OpenPosition(View):
    symbol: str
    #: Of all its amounts.
    currency: str
    qty: Exact
    avg_price: Exact
    #: None while no price is known: the position then counts at its average price.
    last_price: Exact | None
    market_value: Exact
    unrealized_pnl: Exact
    realized_pnl: Exact
    fees: Exact


class CurrencyCash(View):
    currency: str
    cash: Exact
    #: The account's currency for one unit.
    rate: Exact
    #: In the account's currency.
    value: Exact


class Portfolio(View):
    account_id: UUID
    mode: Mode
    #: Of all amounts but those of positions.
    base_currency: str
    #: In it.
    cash: Exact
    #: Cash and positions at their last prices, all currencies at their rates.
    equity: Exact
    unrealized_pnl: Exact
    #: Of all positions, the flat ones included; fees not deducted.
    realized_pnl: Exact
    fees: Exact
    #: None of a cash account.
    margin: MarginFiguresView | None = None
    #: Each other currency in which something is held.
    foreign_cash: list[CurrencyCash]
    positions: list[OpenPosition]
