"""`tradectl data`: candles in and out."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.options import DataDir, Json
from cli.errors import BadInputError, CliError
from shared.models.identifiers import TIMEFRAMES, Timeframe

if TYPE_CHECKING:
    from cli.data.verification import Report

data = typer.Typer(
    help="Candles of a running platform, as files.", no_args_is_help=True, rich_markup_mode=None
)

Url = Annotated[
    str | None, typer.Option(help="Gateway; that of the platform in --data-dir when not given.")
]
AdminEmail = Annotated[
    str | None, typer.Option(help="Admin of --url's gateway; password in ADMIN_PASSWORD.")
]


@data.command()
def export(
    file: Annotated[Path, typer.Argument(help="Parquet file to write.", show_default=False)],
    symbol: Annotated[str, typer.Option(help="Whose candles.", show_default=False)],
    timeframe: Annotated[str, typer.Option(help="Which of them.")] = "1m",
    start: Annotated[
        str | None, typer.Option("--from", help="First moment, such as 2026-03-19T13:30:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Exclusive.")] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Write a symbol's completed candles to a Parquet file."""
    check_timeframe(timeframe)
    if file.suffix != ".parquet":
        raise BadInputError(f"the file must be named .parquet, not {file.name}")
    if file.exists():
        raise BadInputError(f"{file} is there already")
    if not file.absolute().parent.is_dir():
        raise BadInputError(f"there is no folder {file.absolute().parent}")

    from cli.data.candles import Wanted
    from cli.data.export import Exported, export_candles
    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def work() -> Exported:
        async with signed_in(where) as gateway:
            return await export_candles(gateway, Wanted(symbol, timeframe, start, end), file)

    done = asyncio.run(work())
    if as_json:
        report = {"file": str(file), "symbol": symbol, "timeframe": timeframe}
        times = {"first": done.first.isoformat(), "last": done.last.isoformat()}
        print(json.dumps({**report, "candles": done.candles, **times}))
    else:
        print(f"{done.candles} candles of {symbol} {timeframe}, {done.first} to {done.last}")


@data.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="CSV, gzipped or not, or Parquet.", show_default=False)
    ],
    timeframe: Annotated[
        str | None, typer.Option(help="Of candles. Trades and quotes have none.")
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(help="Of symbols that nobody has described: a MIC, or 24/7. XNYS by default."),
    ] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Store a file's candles, or upload its trades or quotes for replays.

    The file is checked row by row, and taken whole or not at all. Again it changes nothing.
    """
    if not file.is_file():
        raise BadInputError(f"there is no file {file}")

    from cli.data.importing import import_file, kind_of
    from cli.data.target import signed_in, target

    kind = kind_of(file)
    if kind == "candles" and timeframe is None:
        raise BadInputError("candles need a --timeframe")
    if kind == "market" and (timeframe is not None or exchange is not None):
        raise BadInputError("--timeframe and --exchange are for candles")
    if timeframe is not None:
        check_timeframe(timeframe)
    where = target(url, admin_email, data_dir)

    async def work() -> dict[str, Any]:
        async with signed_in(where) as gateway:
            return await import_file(gateway, file, kind, timeframe, exchange)

    done = asyncio.run(work())
    if as_json:
        print(json.dumps(done))
    elif kind == "candles":
        for one in done["items"]:
            text = f"{one['candles']} candles of {one['symbol']} {done['timeframe']}"
            print(f"{text}, {one['first']} to {one['last']}")
    else:
        text = f"{done['rows']} {done['kind']} of {', '.join(done['symbols'])}"
        print(f"{text}, {done['first_at']} to {done['last_at']}: file {done['id']}")


@data.command("list")
def list_data(
    symbol: Annotated[str | None, typer.Option(help="Whose candles; all when not given.")] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Stored candles: of each symbol and timeframe how many, from when to when, and whence."""
    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def work() -> list[dict[str, Any]]:
        async with signed_in(where) as gateway:
            params = {} if symbol is None else {"symbol": symbol}
            found = await gateway.call("GET", "/candle-series", params=params)
            items: list[dict[str, Any]] = found["items"]
            return items

    items = asyncio.run(work())
    if as_json:
        print(json.dumps({"items": items}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("symbol", "timeframe", "candles", "first", "last", "sources"):
        table.add_column(title, justify="right" if title == "candles" else "left", no_wrap=True)
    for one in items:
        values = (one["symbol"], one["timeframe"], str(one["candles"]), one["first"], one["last"])
        table.add_row(*values, ", ".join(one["sources"]))
    Console(highlight=False).print(table)


@data.command()
def quality(
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="Whose candles; repeatable. All that is looked after when not given."),
    ] = None,
    timeframe: Annotated[str, typer.Option(help="Which of them.")] = "1m",
    first: Annotated[
        str | None, typer.Option("--from", help="Day such as 2026-03-19; a week ago by default.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Day, inclusive; today.")] = None,
    below: Annotated[float | None, typer.Option(help="Only what scores less.")] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Score the stored candles of each symbol and day from 0 to 100."""
    check_timeframe(timeframe)

    from cli.data.quality import Asked, quality_of, shown
    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def work() -> list[dict[str, Any]]:
        async with signed_in(where) as gateway:
            return await quality_of(gateway, Asked(symbol or [], timeframe, first, last, below))

    items = asyncio.run(work())
    if as_json:
        print(json.dumps({"items": items}))
    else:
        from rich.console import Console

        Console(highlight=False).print(shown(items))


@data.command()
def verify(
    symbol: Annotated[
        list[str] | None, typer.Option(help="Whose candles; repeatable. All when not given.")
    ] = None,
    timeframe: Annotated[
        list[str] | None, typer.Option(help="Which of them; repeatable. All when not given.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First moment, such as 2026-03-19T13:30:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Exclusive.")] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Count stored candles, find gaps by the exchange's calendar, and values out of range.

    Exit code 1 when a candle is wrong. A gap alone is nothing wrong: no trades, no candle.
    """
    chosen = [check_timeframe(one) for one in timeframe or TIMEFRAMES]

    from cli.data.target import signed_in, target
    from cli.data.verification import Report
    from cli.data.verify import verify_candles

    where = target(url, admin_email, data_dir)

    async def work() -> list[Report]:
        async with signed_in(where) as gateway:
            return await verify_candles(gateway, symbol or [], chosen, start, end)

    reports = asyncio.run(work())
    if as_json:
        print(json.dumps({"items": [asdict(report) for report in reports]}))
    else:
        _show(reports)
    errors = sum(report.errors for report in reports)
    if errors:
        raise CliError(f"{errors} things are wrong with the candles")


def _show(reports: "Sequence[Report]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    titles = ("symbol", "timeframe", "candles", "first", "last", "gaps", "missing", "most")
    for title in (*titles, "errors"):
        left = title in ("symbol", "first", "last")
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for one in reports:
        numbers = (one.gaps, one.missing, one.longest_gap, one.errors)
        values = (one.candles, _shown(one.first_ns), _shown(one.last_ns), *numbers)
        table.add_row(one.symbol, one.timeframe, *map(str, values))
    console = Console(highlight=False)
    console.print(table)
    for sentence in (sentence for one in reports for sentence in one.sentences):
        console.print(sentence, markup=False)


def _shown(at_ns: int | None) -> str:
    return "" if at_ns is None else f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d}"


def check_timeframe(timeframe: str) -> Timeframe:
    for known in TIMEFRAMES:
        if timeframe == known:
            return known
    raise BadInputError(f"there is no timeframe {timeframe}; there are {' '.join(TIMEFRAMES)}")
