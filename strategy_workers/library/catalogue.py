"""The strategies that can be deployed, by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from strategy_workers.library.bollinger_breakout import BollingerBreakout
from strategy_workers.library.buy_and_hold import BuyAndHold
from strategy_workers.library.dca import CostAveraging
from strategy_workers.library.grid import Grid
from strategy_workers.library.macd_trend import MacdTrend
from strategy_workers.library.momentum_rotation import MomentumRotation
from strategy_workers.library.opening_range import OpeningRange
from strategy_workers.library.pairs import Pairs
from strategy_workers.library.rsi_reversion import RsiReversion
from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.library.turtle import Turtle
from strategy_workers.library.vwap_reversion import VwapReversion
from strategy_workers.sdk import Strategy

if TYPE_CHECKING:
    from strategy_workers.library.installed import Broken


class Chosen(NamedTuple):
    strategy: type[Strategy]
    #: Of an uploaded one; None for one of the library, or of a package.
    version: int | None
    package: "Package | None" = None


class Package(NamedTuple):
    """The distribution that a strategy was installed with."""

    name: str
    version: str


class Catalogue:
    def __init__(
        self,
        strategies: Iterable[type[Strategy]],
        packages: Mapping[str, Package] | None = None,
        broken: Sequence["Broken"] = (),
    ) -> None:
        """Raises ValueError for a strategy without a name, or a second one of the same name.

        `packages` by the names of installed strategies; `broken` ones are those that can't be used.
        """
        self.packages = dict(packages or {})
        self.broken = list(broken)
        self._by_name: dict[str, type[Strategy]] = {}
        for strategy in strategies:
            if not strategy.name or strategy.name in self._by_name:
                raise ValueError(f"{strategy.__name__} needs a name of its own")
            self._by_name[strategy.name] = strategy

    def all(self) -> list[type[Strategy]]:
        return [self._by_name[name] for name in sorted(self._by_name)]

    def offered(self) -> list[Chosen]:
        """What can be deployed, by name."""
        return [Chosen(one, None, self.packages.get(one.name)) for one in self.all()]

    def choose(self, name: str, version: int | None = None) -> Chosen | None:
        """For a deployment that begins: without a version, the newest there is."""
        known = self.find(name, version)
        return None if known is None else Chosen(known, None, self.packages.get(name))

    def find(self, name: str, version: int | None = None) -> type[Strategy] | None:
        """For one that runs. What is here has no versions: it is the platform's own code."""
        return self._by_name.get(name) if version is None else None


LIBRARY = Catalogue(
    [
        SmaCrossover, RsiReversion, BollingerBreakout, MacdTrend, Turtle, OpeningRange,
        VwapReversion, Pairs, Grid, MomentumRotation, BuyAndHold, CostAveraging,
    ]
)  # fmt: skip
