from typing import Any, Self

from pydantic import BaseModel

from strategy_workers.library.catalogue import Chosen


class StrategyView(BaseModel):
    name: str
    title: str
    description: str
    #: Of an uploaded strategy; null for the library's.
    version: int | None
    #: JSON schema of the parameters, in the order that a form should show them.
    parameters: dict[str, Any]

    @classmethod
    def of(cls, chosen: Chosen) -> Self:
        strategy = chosen.strategy
        return cls(
            name=strategy.name,
            title=strategy.title,
            description=strategy.description,
            version=chosen.version,
            parameters=strategy.parameters_schema(),
        )


class StrategyList(BaseModel):
    items: list[StrategyView]
    next_cursor: None = None
