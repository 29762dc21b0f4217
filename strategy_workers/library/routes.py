from typing import Annotated

from fastapi import APIRouter, Depends, Request

from shared.service.problems import Problem
from strategy_workers.library.catalogue import Catalogue
from strategy_workers.library.schemas import BrokenStrategy, StrategyList, StrategyView

router = APIRouter(prefix="/internal/strategies")


def catalogue_of(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


WithCatalogue = Annotated[Catalogue, Depends(catalogue_of)]


@router.get("")
def list_strategies(catalogue: WithCatalogue) -> StrategyList:
    return StrategyList(
        items=[StrategyView.of(chosen) for chosen in catalogue.offered()],
        broken=[BrokenStrategy.of(one) for one in catalogue.broken],
    )


@router.get("/{name}")
def see_strategy(name: str, catalogue: WithCatalogue) -> StrategyView:
    chosen = catalogue.choose(name)
    if chosen is None:
        raise unknown_strategy(name)
    return StrategyView.of(chosen)


def unknown_strategy(name: str) -> Problem:
    return Problem(404, "unknown_strategy", f"There is no strategy named {name}.")
