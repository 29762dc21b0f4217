from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from order_processor.corporate_actions.repository import Announced

Shares = Annotated[int, Field(ge=1, le=10_000)]


class ActionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,31}$")]
    kind: Literal["split", "dividend"]
    ratio_new: Shares | None = None
    ratio_old: Shares | None = None
    amount: Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=6)] | None = None
    ex_date: date
    announced_by: str

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        splits = self.ratio_new is not None and self.ratio_old is not None
        if self.kind == "split" and (not splits or self.amount is not None):
            raise ValueError("a split has a ratio and no amount")
        if self.kind == "dividend" and (
            self.amount is None or self.ratio_new is not None or self.ratio_old is not None
        ):
            raise ValueError("a dividend has an amount and no ratio")
        if splits and self.ratio_new == self.ratio_old:
            raise ValueError("a split changes the number of shares")
        return self

    def says_the_same_as(self, known: Announced) -> bool:
        mine = (self.symbol, self.kind, self.ratio_new, self.ratio_old, self.amount, self.ex_date)
        return mine == (
            known.symbol,
            known.kind,
            known.ratio_new,
            known.ratio_old,
            known.amount,
            known.ex_date,
        )


class CancelRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cancelled_by: str
