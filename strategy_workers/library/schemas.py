from typing import Any, Self

from pydantic import BaseModel

from strategy_workers.sdk import Strategy


class StrategyView(BaseModel):
    name: str
    title: str
    description: str
    #: JSON schema of the parameters, in the order that a form should show them.
    parameters: dict[str, Any]

    @classmethod
    def of(cls, strategy: type[Strategy]) -> Self:
        return cls(
            name=strategy.name,
            title=strategy.title,
            description=strategy.description,
            parameters=strategy.parameters_schema(),
        )


class StrategyList(BaseModel):
    items: list[StrategyView]
    next_cursor: None = None
