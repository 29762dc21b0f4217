import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.backtests import plans
from cli.backtests.fills import Fills
from cli.backtests.lending import Lending
from cli.backtests.records import (
    Folder,
    Html,
    make_record,
    open_records,
    progress_bar,
    write_file,
    writing,
)
from cli.commands.options import Json
from cli.errors import BadInputError

_RESULT = "backtest.json"
_DETAILS = ("trades", "executions", "equity_curve")


def backtesting(
    strategy: plans.StrategyName,
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
    export: Annotated[
        Path | None, typer.Option(help=f"Folder to write {_RESULT} into, with all there is.")
    ] = None,
    html: Html = None,
    folder: Folder = None,
    margin_terms: plans.MarginTerms = None,
    borrow_fee_bps: plans.BorrowFeeBps = "0",
    *,
    margin: plans.Margin = False,
    record: Annotated[
        bool, typer.Option(help="Keep the run for `backtesting-show`, or leave no trace.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Run a strategy over past trades or candles, without any server.

    The same class, the same order books and the same fills as on the platform.
    """
    if export is not None and export.exists() and not export.is_dir():
        raise BadInputError(f"--export must be a folder, and {export} is none")
    wanted = plans.Wanted(
        strategy, trades or [], candles or [], timeframe, timerange, capital,
        exchange, tick_size, lot_size, Fills(fill_model, fee, slippage, fee_bps, slippage_bps),
        Lending(margin, margin_terms, borrow_fee_bps),
    )  # fmt: skip
    records = open_records(folder) if record else None
    plans.log_to_stderr()

    from strategy_workers.backtests.result import whole_result
    from strategy_workers.backtests.run import run_backtest

    with plans.told_in_a_sentence("nothing was written"):
        plan = plans.make_plan(wanted, plans.given_parameters(param))
        with progress_bar("backtesting", plan.source) as progress:
            found = whole_result(run_backtest(plan, progress))
    written = []
    if records is not None:
        kept = make_record(plan, found)
        with writing(records.folder):
            records.add(kept)
        written.append(("record", kept.id))
    if export is not None:
        write_file(export / _RESULT, json.dumps(found))
        written.append(("written to", str(export / _RESULT)))
    if html is not None:
        from strategy_workers.reports.backtest_page import backtest_page

        write_file(html, backtest_page(title_of(found), found))
        written.append(("page", str(html)))
    show(found, written, as_json=as_json)


def show(found: dict[str, Any], more: list[tuple[str, str]], *, as_json: bool) -> None:
    from strategy_workers.reports.figures import result_rows

    if as_json:
        print(json.dumps({name: each for name, each in found.items() if name not in _DETAILS}))
        return
    gaps = found["gaps"]
    if gaps["count"]:
        print(
            f"tradectl: the data has {gaps['count']} gaps, {gaps['missing']} intervals together;"
            f" the longest from {gaps['longest'][0]['from']} to {gaps['longest'][0]['to']}",
            file=sys.stderr,
        )
    for title, value in [*result_rows(found), *more]:
        print(f"{title:<22}{value}")


def title_of(found: dict[str, Any]) -> str:
    settings = found["settings"]
    return f"{settings['strategy']} on {', '.join(settings['symbols'])}, {settings['timeframe']}"
