import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backtests import plans
from cli.backtests.records import (
    Folder,
    Html,
    open_records,
    progress_bar,
    write_file,
)
from cli.backtests.tables import print_table
from cli.commands.backtesting import show, title_of
from cli.commands.options import Json
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    from strategy_workers.backtests.plan import Plan
    from strategy_workers.records.record import Record


def backtesting_show(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Records by (the beginning of) their ids, or `last`."),
    ] = None,
    html: Html = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder where --repeat finds the files by their names.")
    ] = None,
    folder: Folder = None,
    *,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Run it again, and say whether the same comes out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the records of backtests, show one, or compare several side by side."""
    if repeat and len(ids or []) != 1:
        raise BadInputError("--repeat takes one record")
    if html is not None and not ids:
        raise BadInputError("--html needs the records to show")
    store = open_records(folder)
    with plans.told_in_a_sentence("nothing was changed"):
        if not ids:
            _list(list(store.all()), as_json=as_json)
            return
        records = [store.find(each) for each in ids]
    if repeat:
        _repeat(records[0], data, as_json=as_json)
    elif len(records) == 1:
        _show_one(records[0], html, as_json=as_json)
    else:
        _compare(records, html, as_json=as_json)


def _list(records: "list[Record]", *, as_json: bool) -> None:
    from strategy_workers.reports.figures import number, percent

    if as_json:
        print(json.dumps({"items": [_row(record) for record in records]}))
        return
    heads = ("id", "recorded", "strategy", "symbols", "timeframe", "return", "drawdown", "Sharpe")
    rows = []
    for row in map(_row, records):
        metrics = row["metrics"]
        rows.append(
            (
                row["id"], row["recorded_at"][:19], row["strategy"], ",".join(row["symbols"]),
                row["timeframe"], percent(metrics["total_return_fraction"]),
                percent(metrics["max_drawdown_fraction"]), number(metrics["sharpe"]),
            )
        )  # fmt: skip
    print_table(heads, rows)


def _row(record: "Record") -> dict[str, Any]:
    settings = record.settings
    names = ("strategy", "parameters", "symbols", "timeframe", "timerange", "source")
    return {
        "id": record.id,
        "recorded_at": record.recorded_at.isoformat(),
        **{name: settings[name] for name in names},
        "equity": record.result["equity"],
        "metrics": record.result["metrics"],
        "executions_digest": record.result["executions_digest"],
    }


def _show_one(record: "Record", html: Path | None, *, as_json: bool) -> None:
    from strategy_workers.reports.backtest_page import backtest_page
    from strategy_workers.reports.figures import settings_rows

    more = [("record", record.id), *settings_rows(record.settings)]
    if html is not None:
        write_file(html, backtest_page(title_of(record.result), record.result))
        more.append(("page", str(html)))
    if as_json:
        print(json.dumps({"id": record.id, **record.result}))
        return
    show(record.result, more, as_json=False)


def _compare(records: "list[Record]", html: Path | None, *, as_json: bool) -> None:
    from strategy_workers.reports.backtest_page import comparison_page, differences, side_by_side

    results = [record.result for record in records]
    names = [record.id for record in records]
    if html is not None:
        title = f"{len(records)} backtests side by side"
        write_file(html, comparison_page(title, list(zip(names, results, strict=True))))
    differing = differences(results)
    if as_json:
        found = {name: list(rest) for name, *rest in differing}
        print(json.dumps({"items": [_row(record) for record in records], "differences": found}))
        return
    print_table(("", *names), [*side_by_side(results), *differing])


def _repeat(record: "Record", data: Path | None, *, as_json: bool) -> None:
    from strategy_workers.backtests.result import whole_result
    from strategy_workers.backtests.run import run_backtest
    from strategy_workers.backtests.versions import code_version

    plans.log_to_stderr()
    with plans.told_in_a_sentence("nothing was changed"):
        plan = _plan_again(record, data)
        with progress_bar("repeating", plan.source) as progress:
            found = whole_result(run_backtest(plan, progress))
    differing = [
        name for name in record.result if name != "settings" and found[name] != record.result[name]
    ]
    same_code = code_version() == record.settings["code_version"]
    if as_json:
        answer = {"id": record.id, "same": not differing, "same_code": same_code}
        print(json.dumps({**answer, "differing": differing}))
    elif not differing:
        print("the same result" + ("" if same_code else ", by other code"))
    if differing:
        cause = "by the same code" if same_code else "by other code"
        raise CliError(f"another result {cause}: {', '.join(differing)} differ")


def _plan_again(record: "Record", data: Path | None) -> "Plan":
    """Raises BadInputError when the files aren't those of the record."""
    from decimal import Decimal

    from shared.models.margin import parse_margin_terms
    from shared.trading.paper_terms import parse_paper_terms
    from strategy_workers.backtests.plan import Terms, parse_timerange
    from strategy_workers.backtests.versions import fingerprint

    settings = record.settings
    files = []
    for known, path in zip(settings["files"], map(Path, record.paths), strict=True):
        file = path if data is None else data / known["name"]
        if not file.is_file():
            raise BadInputError(f"can't read {file}: there is no such file; --data says where")
        if fingerprint(file) != known["sha256"]:
            raise BadInputError(f"{file} is not the file that was used: its SHA-256 differs")
        files.append(file)
    amounts = {
        name: Decimal(settings[name])
        for name in ("capital", "reserve_buffer_bps", "tick_size", "lot_size", "borrow_fee_bps")
        if name in settings
    }
    terms = Terms(
        currency=settings["currency"],
        exchange=settings["exchange"],
        paper=parse_paper_terms(settings["paper_terms"]),
        margin=parse_margin_terms(settings.get("margin")),
        shortable=settings.get("shortable", True),
        **amounts,
    )
    return plans.plan_of(
        settings["strategy"], settings["parameters"], settings["timeframe"], tuple(files),
        settings["source"], parse_timerange(settings["timerange"]), terms,
    )  # fmt: skip
