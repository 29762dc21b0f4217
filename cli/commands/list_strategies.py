import json
import sys
from typing import TYPE_CHECKING

from cli.commands.options import Json

if TYPE_CHECKING:
    from strategy_workers.library import Catalogue


def list_strategies(*, as_json: Json = False) -> None:
    """Show the strategies of the library and of installed packages, with their parameters."""
    from strategy_workers.library import LIBRARY
    from strategy_workers.library.installed import with_installed

    known = with_installed(LIBRARY)
    strategies = known.all()
    for one in known.broken:
        print(f"{one.entry_point} can't be used: {one.reason}", file=sys.stderr)
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": strategy.name,
                        "title": strategy.title,
                        "description": strategy.description,
                        "package": _package(known, strategy.name),
                        "parameters": strategy.parameters_schema(),
                    }
                    for strategy in strategies
                ]
            )
        )
        return
    for strategy in strategies:
        package = known.packages.get(strategy.name)
        origin = "" if package is None else f"  ({package.name} {package.version})"
        print(f"{strategy.name:<20}{strategy.title}{origin}")
        for name, parameter in strategy.declared_parameters().items():
            default = parameter.encode(parameter.default)
            print(f"  {name}={default:<16} {parameter.description}".rstrip())


def _package(known: "Catalogue", name: str) -> dict[str, str] | None:
    package = known.packages.get(name)
    return None if package is None else package._asdict()
