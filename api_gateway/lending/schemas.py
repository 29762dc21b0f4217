from typing import Annotated, Self

from pydantic import Field, model_validator

from api_gateway.values import Input, Rate, View


class LendingChange(Input):
    shortable: Annotated[
        bool | None, Field(description="It is easy to borrow, and so can be sold short.")
    ] = None
    borrow_fee_bps: Annotated[
        Rate | None,
        Field(description="A year on the value of what is borrowed, in 1/10,000.", examples=["35"]),
    ] = None

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.shortable is None and self.borrow_fee_bps is None:
            raise ValueError("say what is to change")
        return self


class LendingView(View):
    symbol: str
    shortable: bool
    borrow_fee_bps: Rate
