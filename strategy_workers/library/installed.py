"""Strategies of installed packages, which name them as entry points of the group `GROUP`.

Whoever installs a package trusts its code: it runs in the worker's process, as the library does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from strategy_workers.library.catalogue import Catalogue, Package
from strategy_workers.sandbox.manifest import manifest_of
from strategy_workers.sandbox.source import BadSourceError
from strategy_workers.sdk import Strategy

GROUP = "trading.strategies"
_MOST_CHARS = 300


@dataclass(frozen=True)
class Broken:
    """An entry point that can't be used, and why, in a sentence."""

    entry_point: str
    package: Package | None
    reason: str


def with_installed(library: Catalogue) -> Catalogue:
    """What can't be used is left out, and told as the catalogue's `broken`."""
    return _joined(library, entry_points(group=GROUP))


def _joined(library: Catalogue, found: Iterable[EntryPoint]) -> Catalogue:
    known = {one.name: one for one in library.all()}
    packages: dict[str, Package] = {}
    broken: list[Broken] = []
    for entry in sorted(found, key=lambda one: (one.name, one.value)):
        package = _package(entry)
        try:
            strategy = _loaded(entry)
            if strategy.name in known:
                raise BadSourceError(f"There is another strategy named {strategy.name}.")
        except BadSourceError as error:
            broken.append(Broken(entry.value, package, str(error)))
        else:
            known[strategy.name] = strategy
            if package is not None:
                packages[strategy.name] = package
    return Catalogue(known.values(), packages, broken)


def _package(entry: EntryPoint) -> Package | None:
    if entry.dist is None:
        return None
    return Package(entry.dist.name, entry.dist.version)


def _loaded(entry: EntryPoint) -> type[Strategy]:
    """Raises BadSourceError, whatever the package's code raises."""
    try:
        found = entry.load()
        if not (isinstance(found, type) and issubclass(found, Strategy)):
            raise BadSourceError(f"{entry.value} is no class that extends Strategy.")
        manifest_of(found)
        found.parameters_schema()
    except BadSourceError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"[:_MOST_CHARS]
        raise BadSourceError(f"{entry.value} can't be loaded: {said}") from error
    return found
