"""Shapes of the universe: the symbols that are looked after."""

from pydantic import Field

from api_gateway.market_data.job_schemas import Tier
from api_gateway.values import View


class UniverseMemberView(View):
    symbol: str = Field(examples=["AAPL"])
    tier: Tier
    #: How often it is looked at.
    cadence_s: float = Field(examples=[60])
    #: False: it is there because a live feed follows it.
    configured: bool


class UniverseView(View):
    #: Of the configuration that names them.
    version: int
    items: list[UniverseMemberView]
    next_cursor: str | None
