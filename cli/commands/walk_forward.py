import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.backtests import plans, studies
from cli.backtests.fills import Fills
from cli.backtests.lending import Lending
from cli.backtests.records import Folder, Html, write_file, writing
from cli.backtests.tables import print_table
from cli.commands.options import Json
from cli.errors import BadInputError


def walk_forward(
    strategy: plans.StrategyName,
    in_sample: Annotated[
        int, typer.Option(min=1, help="Days with data in which parameters are chosen.")
    ],
    out_of_sample: Annotated[
        int, typer.Option(min=1, help="Days with data after them in which those are used.")
    ],
    space: studies.Ranges = None,
    search: studies.Searching = "grid",
    trials: studies.Trials = None,
    objective: studies.Goal = "sharpe",
    stop_after: studies.StopAfter = None,
    min_trades: studies.LeastTrades = 1,
    jobs: studies.Jobs = None,
    seed: studies.Seed = 0,
    study: Annotated[
        str | None, typer.Option(help="Name to keep the trials under; else they are not kept.")
    ] = None,
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
    anchored: Annotated[
        bool, typer.Option("--anchored", help="All windows begin with the first day.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study.")] = False,
    as_json: Json = False,
) -> None:
    """Choose parameters again and again, and run each choice in the days after it.

    The runs out of sample are stitched into one equity curve.
    """
    if resume and study is None:
        raise BadInputError("--resume needs --study")
    if not candles:
        raise BadInputError("a walk-forward runs over --candles")
    wanted = plans.Wanted(
        strategy, [], candles, timeframe, timerange, capital, exchange,
        tick_size, lot_size, Fills(fill_model, fee, slippage, fee_bps, slippage_bps),
        Lending(margin, margin_terms, borrow_fee_bps),
    )  # fmt: skip
    path = None if study is None else studies.studies_folder(folder)
    plans.log_to_stderr()
    from strategy_workers.optimisation.run import Optimisation
    from strategy_workers.optimisation.walk_forward import Walk, run_walk_forward
    from strategy_workers.optimisation.walk_report import walk_report

    kept = "what is finished is kept: --resume goes on" if study else "nothing was kept"
    with plans.told_in_a_sentence(kept):
        walk = Walk(
            Optimisation(
                plan=plans.make_plan(wanted, {}),
                fixed=plans.given_parameters(param),
                ranges=space or [],
                search=studies.check_search(search),
                trials=trials,
                objective=objective,
                min_trades=min_trades,
                stop_after=stop_after,
                seed=seed,
            ),
            in_sample,
            out_of_sample,
            anchored,
        )
        with writing(path or Path()), studies.windows_bar() as progress:
            settings, steps = run_walk_forward(
                walk, study, path, studies.usable_jobs(jobs), progress, resume=resume
            )
    _show(study or strategy, walk_report(settings, steps), html, as_json=as_json)


def _show(name: str, report: dict[str, Any], html: Path | None, *, as_json: bool) -> None:
    from strategy_workers.reports.walk_page import WINDOW_HEADS, walk_page, walk_rows, window_rows

    if html is not None:
        write_file(html, walk_page(f"Walk-forward {name}", report))
    if as_json:
        print(json.dumps(report))
        return
    studies.print_warnings(report["warnings"])
    print_table(WINDOW_HEADS, window_rows(report))
    print()
    more = [] if html is None else [("page", str(html))]
    for title, value in [*walk_rows(report), *more]:
        print(f"{title:<22}{value}")
