import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

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
    as_json: Json = False,
) -> None:
    """List the studies that are kept, or show the best trials of one."""
    from strategy_workers.optimisation.journal import SUFFIX, check_name, read_journal
    from strategy_workers.optimisation.judgement import study_report
    from strategy_workers.optimisation.study import counted, has_stopped

    where = studies.studies_folder(folder)
    with plans.told_in_a_sentence("nothing was changed"):
        if name is None:
            if html is not None:
                raise BadInputError("--html needs the study to show")
            _list(sorted(where.glob(f"*{SUFFIX}")), as_json=as_json)
            return
        settings, results = read_journal(where / f"{check_name(name)}{SUFFIX}")
        found = counted(results, settings["stop_after"])
        stopped = has_stopped(found, settings["stop_after"])
        report = study_report(settings, found, stopped)
    show_study(name, report, found, html, as_json=as_json)


def _list(paths: list[Path], *, as_json: bool) -> None:
    from strategy_workers.optimisation.journal import read_journal
    from strategy_workers.optimisation.study import counted, has_stopped, ranked

    items = []
    for path in paths:
        settings, results = read_journal(path)
        found = counted(results, settings["stop_after"])
        best = ranked(found)
        stopped = has_stopped(found, settings["stop_after"])
        items.append(
            {
                "name": path.stem,
                "at": datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()[:19],
                "strategy": settings["run"]["strategy"],
                "search": settings["search"],
                "trials": len(found),
                "of": settings["trials"],
                "state": "done" if stopped or len(found) >= settings["trials"] else "unfinished",
                "objective": settings["objective"],
                "best": best[0].score if best else None,
            }
        )
    if as_json:
        print(json.dumps({"items": items}))
        return
    heads = ("name", "at", "strategy", "search", "trials", "of", "state", "objective", "best")
    print_table(heads, [[str(item[head]) for head in heads] for item in items])
