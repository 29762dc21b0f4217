import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.backtests import plans
from cli.backtests.fills import Fills
from cli.backtests.records import progress_bar
from cli.commands.options import Json
from cli.errors import CliError

if TYPE_CHECKING:
    from strategy_workers.lookahead.analysis import Analysis


def lookahead_analysis(
    strategy: plans.StrategyName,
    trades: plans.TradeFiles = None,
    candles: plans.CandleFiles = None,
    timeframe: plans.Candles = "1m",
    timerange: plans.Days = None,
    capital: plans.Capital = "100000",
    exchange: plans.Exchange = "XNYS",
    tick_size: plans.TickSize = "0.01",
    lot_size: plans.LotSize = "1",
    param: plans.Parameters = None,
    cuts: Annotated[
        int, typer.Option(min=1, max=1000, help="Moments to cut the data at; a run for each.")
    ] = 20,
    *,
    as_json: Json = False,
) -> None:
    """Prove that a strategy doesn't know the future.

    It runs again over data that ends earlier: what it decides up to there must stay the same.
    """
    wanted = plans.Wanted(
        strategy, trades or [], candles or [], timeframe, timerange, capital,
        exchange, tick_size, lot_size, Fills(None, None, None, None, None),
    )  # fmt: skip
    plans.log_to_stderr()

    from strategy_workers.lookahead.analysis import analyse

    with plans.told_in_a_sentence("nothing was written"):
        plan = plans.make_plan(wanted, plans.given_parameters(param))
        with progress_bar("lookahead-analysis", "cuts") as progress:
            found = analyse(plan, cuts, progress)
    _show(found, as_json=as_json)
    if not found.repeatable:
        raise CliError("two runs over the same data decided differently: it depends on chance")
    if found.findings:
        raise CliError(f"{len(found.findings)} of {found.cuts} cuts changed earlier decisions")


def _show(found: "Analysis", *, as_json: bool) -> None:
    from strategy_workers.runtime.desk import market_time

    rows = [
        {
            "cut_at": market_time(each.cut_ns).isoformat(),
            "decided_at": market_time(each.at_ns).isoformat(),
            "with_future": each.with_future,
            "without": each.without,
        }
        for each in found.findings
    ]
    if as_json:
        summary = {"clean": found.clean, "repeatable": found.repeatable}
        counts = {"decisions": found.decisions, "cuts": found.cuts}
        print(json.dumps({**summary, **counts, "findings": rows}))
        return
    for title, value in (
        ("decisions", found.decisions), ("cuts", found.cuts), ("changed by a cut", len(rows)),
    ):  # fmt: skip
        print(f"{title:<22}{value}")
    for row in rows:
        print(f"\nat {row['decided_at']}, cut at {row['cut_at']}")
        print(f"  with what comes later  {row['with_future'] or 'nothing'}")
        print(f"  without it             {row['without'] or 'nothing'}")
