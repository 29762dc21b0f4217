"""Candles of the platform as a Parquet file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cli.client.gateway import Gateway, Json
from cli.data.candles import Wanted, completed_candles
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Exported:
    candles: int
    first: datetime
    last: datetime


async def export_candles(gateway: Gateway, wanted: Wanted, file: Path) -> Exported:
    """Completed candles only, oldest first. The file is there whole, or not at all.

    BadInputError when there are none.
    """
    import polars as pl

    frames = [_frame(page, wanted) async for page in completed_candles(gateway, wanted)]
    if not frames:
        raise BadInputError(f"there are no {wanted.timeframe} candles of {wanted.symbol} in there")
    table = pl.concat(frames)
    _write(table, file)
    return Exported(table.height, table["start"][0], table["start"][-1])


def _frame(items: list[Json], wanted: Wanted) -> "pl.DataFrame":
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    number = pl.Float64
    return pl.DataFrame(
        items,
        schema={
            "start": pl.String,
            "end": pl.String,
            **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), number),
            "trades": pl.Int64,
        },
        strict=False,
    ).select(
        pl.lit(wanted.symbol).alias("symbol"),
        pl.lit(wanted.timeframe).alias("timeframe"),
        pl.col("start", "end").str.to_datetime("%+", time_zone="UTC").cast(moment),
        pl.exclude("start", "end"),
    )


def _write(table: "pl.DataFrame", file: Path) -> None:
    unfinished = file.with_name(f".{file.name}.{uuid4().hex[:8]}")
    try:
        table.write_parquet(unfinished)
        unfinished.replace(file)
    except OSError as error:
        raise CliError(f"can't write {file}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
