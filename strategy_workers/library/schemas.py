from typing import Any, Self

from pydantic import BaseModel

from strategy_workers.library.catalogue import Chosen, Package
from strategy_workers.library.installed import Broken


class InstalledPackage(BaseModel):
    name: str
    version: str


def _package(package: Package | None) -> InstalledPackage | None:
    return None if package is None else InstalledPackage(**package._asdict())


class StrategyView(BaseModel):
    name: str
    title: str
    description: str
    #: Of an uploaded strategy; null for the library's.
    version: int | None
    #: Of an installed package's strategy.
    package: InstalledPackage | None
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
            package=_package(chosen.package),
            parameters=strategy.parameters_schema(),
        )


class BrokenStrategy(BaseModel):
    entry_point: str
    package: InstalledPackage | None
    reason: str

    @classmethod
    def of(cls, broken: Broken) -> Self:
        return cls(
            entry_point=broken.entry_point,
            package=_package(broken.package),
            reason=broken.reason,
        )


class StrategyList(BaseModel):
    items: list[StrategyView]
    #: What packages offer, and can't be used.
    broken: list[BrokenStrategy] = []
    next_cursor: None = None
