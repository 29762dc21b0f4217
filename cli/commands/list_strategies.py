import json

from cli.commands.options import Json


def list_strategies(*, as_json: Json = False) -> None:
    """Show the strategies of the library and their parameters."""
    from strategy_workers.library import LIBRARY

    strategies = LIBRARY.all()
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": strategy.name,
                        "title": strategy.title,
                        "description": strategy.description,
                        "parameters": strategy.parameters_schema(),
                    }
                    for strategy in strategies
                ]
            )
        )
        return
    for strategy in strategies:
        print(f"{strategy.name:<20}{strategy.title}")
        for name, parameter in strategy.declared_parameters().items():
            default = parameter.encode(parameter.default)
            print(f"  {name}={default:<16} {parameter.description}".rstrip())
