"""The strategies that can be deployed, by name."""

from collections.abc import Iterable

from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.sdk import Strategy


class Catalogue:
    def __init__(self, strategies: Iterable[type[Strategy]]) -> None:
        """Raises ValueError for a strategy without a name, or a second one of the same name."""
        self._by_name: dict[str, type[Strategy]] = {}
        for strategy in strategies:
            if not strategy.name or strategy.name in self._by_name:
                raise ValueError(f"{strategy.__name__} needs a name of its own")
            self._by_name[strategy.name] = strategy

    def all(self) -> list[type[Strategy]]:
        return [self._by_name[name] for name in sorted(self._by_name)]

    def find(self, name: str) -> type[Strategy] | None:
        return self._by_name.get(name)


LIBRARY = Catalogue([SmaCrossover])
