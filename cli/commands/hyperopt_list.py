import json
from typing import Annotated, Any

import typer

from cli.backtests import plans, studies
from cli.backtests.records import Folder, Html
from cli.backtests.tables import print_table
from cli.commands.hyperopt import show_study
from cli.commands.options import Json
from cli.errors import BadInputError


def hyperopt_list(
    name: Annotated[str | None, typer.Argument(help="Of the study to show.")] = None,
    html: Html = None,
    folder: Folder = None,
    *,
    shared: studies.InPostgres = False,
    as_json: Json = False,
) -> None:
    """List the studies that are kept, or show the best trials of one."""
    from strategy_workers.optimisation.judgement import study_report
    from strategy_workers.optimisation.kept import names_in, read_study
    from strategy_workers.optimisation.study import counted, has_stopped

    if name is None and html is not None:
        raise BadInputError("--html needs the study to show")
    with (
        plans.told_in_a_sentence("nothing was changed"),
        studies.place_of(folder, shared=shared) as place,
    ):
        if name is None:
            _list([_row(each, *read_study(place, each)) for each in names_in(place)], as_json)
            return
        settings, results = read_study(place, name)
    found = counted(results, settings["stop_after"])
    report = study_report(settings, found, has_stopped(found, settings["stop_after"]))
    show_study(name, report, found, html, as_json=as_json)


def _row(name: str, settings: dict[str, Any], results: Any) -> dict[str, Any]:
    from strategy_workers.optimisation.study import counted, has_stopped, ranked

    found = counted(results, settings["stop_after"])
    best = ranked(found)
    stopped = has_stopped(found, settings["stop_after"])
    return {
        "name": name,
        "strategy": settings["run"]["strategy"],
        "search": settings["search"],
        "trials": len(found),
        "of": settings["trials"],
        "state": "done" if stopped or len(found) >= settings["trials"] else "unfinished",
        "objective": settings["objective"],
        "best": best[0].score if best else None,
    }


def _list(items: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"items": items}))
        return
    heads = ("name", "strategy", "search", "trials", "of", "state", "objective", "best")
    print_table(heads, [[str(item[head]) for head in heads] for item in items])
