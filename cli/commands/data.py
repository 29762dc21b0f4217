"""`tradectl data`: candles in and out."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DataDir, Json
from cli.errors import BadInputError
from shared.models.identifiers import TIMEFRAMES

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

    from cli.data.export import Exported, Wanted, export_candles
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


def check_timeframe(timeframe: str) -> None:
    if timeframe not in TIMEFRAMES:
        raise BadInputError(f"there is no timeframe {timeframe}; there are {' '.join(TIMEFRAMES)}")
