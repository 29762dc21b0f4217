import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backtests import plans, studies
from cli.backtests.fills import Fills
from cli.backtests.lending import Lending
from cli.backtests.records import Folder, Html, write_file
from cli.backtests.tables import print_table
from cli.commands.options import Json
from cli.errors import BadInputError

if TYPE_CHECKING:
    from strategy_workers.optimisation.trial import Trial

_SHOWN = 10


def hyperopt(
    strategy: plans.StrategyName,
    space: studies.Ranges = None,
    search: studies.Searching = "grid",
    trials: studies.Trials = None,
    objective: studies.Goal = "sharpe",
    stop_after: studies.StopAfter = None,
    min_trades: studies.LeastTrades = 1,
    jobs: studies.Jobs = None,
    seed: studies.Seed = 0,
    study: Annotated[
        str | None, typer.Option(help="Name to keep the study under; else it is not kept.")
    ] = None,
    trades: plans.TradeFiles = None,
    candles: plans.CandleFiles = None,
    timeframe: plans.Candles = "1m",
    timerange: plans.Days = None,
    capital: plans.Capital = "100000",
    fee_bps: plans.FeeBps = None,
    slippage_bps: plans.SlippageBps = None,
    fee: plans.Fee = None,
    slippage: plans.Slippage = None,
    fill_model: plans.FillModel = None,
    exchange: plans.Exchange = "XNYS",
    tick_size: plans.TickSize = "0.01",
    lot_size: plans.LotSize = "1",
    param: plans.Parameters = None,
    html: Html = None,
    folder: Folder = None,
    margin_terms: plans.MarginTerms = None,
    borrow_fee_bps: plans.BorrowFeeBps = "0",
    *,
    margin: plans.Margin = False,
    shared: studies.InPostgres = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study.")] = False,
    as_json: Json = False,
) -> None:
    """Look for good parameters: many backtests, on all cores.

    The same options give the same trials, with any number of processes and interruptions.
    """
    if resume and study is None:
        raise BadInputError("--resume needs --study")
    if shared and study is None:
        raise BadInputError("--shared needs --study")
    wanted = plans.Wanted(
        strategy, trades or [], candles or [], timeframe, timerange, capital,
        exchange, tick_size, lot_size, Fills(fill_model, fee, slippage, fee_bps, slippage_bps),
        Lending(margin, margin_terms, borrow_fee_bps),
    )  # fmt: skip
    plans.log_to_stderr()
    from strategy_workers.optimisation.run import Optimisation, run_optimisation

    kept = "what is finished is kept: --resume goes on" if study else "nothing was kept"
    with plans.told_in_a_sentence(kept):
        optimisation = Optimisation(
            plan=plans.make_plan(wanted, {}),
            fixed=plans.given_parameters(param),
            ranges=space or [],
            search=studies.check_search(search),
            trials=trials,
            objective=objective,
            min_trades=min_trades,
            stop_after=stop_after,
            seed=seed,
        )
        with (
            studies.place_of(folder, shared=shared) as place,
            studies.trials_bar("hyperopt") as progress,
        ):
            report, found = run_optimisation(
                optimisation, study, place, studies.usable_jobs(jobs), progress, resume=resume
            )
    show_study(study or strategy, report, found, html, as_json=as_json)


def show_study(
    name: str,
    report: dict[str, Any],
    trials: "list[Trial]",
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    from strategy_workers.optimisation.judgement import trial_row
    from strategy_workers.optimisation.study import ranked
    from strategy_workers.reports.study_page import (
        TRIAL_HEADS,
        overfitting_rows,
        study_page,
        trial_cells,
    )

    if html is not None:
        write_file(html, study_page(f"Study {name}", report, trials))
    best = ranked(trials)
    if as_json:
        print(json.dumps({**report, "items": [trial_row(trial) for trial in best]}))
        return
    studies.print_warnings(report["warnings"])
    names = [one["name"] for one in report["settings"]["space"]]
    print_table(
        (*TRIAL_HEADS, *names),
        [[*trial_cells(each), *map(str, each.point.values())] for each in best[:_SHOWN]],
    )
    print()
    stopped = ", stopped early" if report["stopped_early"] else ""
    rows = [
        ("trials", f"{report['trials']} ({report['ranked']} ranked{stopped})"),
        ("objective", report["settings"]["objective"]),
        *overfitting_rows(report["overfitting"]),
    ]
    if best:
        options = " ".join(f"--param {key}={value}" for key, value in best[0].point.items())
        rows.append(("best", options))
    if html is not None:
        rows.append(("page", str(html)))
    for title, value in rows:
        print(f"{title:<22}{value}")
