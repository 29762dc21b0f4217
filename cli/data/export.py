"""Candles of the platform as a Parquet file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from cli.client.gateway import Gateway, Json
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    import polars as pl

_PAGE = 10_000
_EARLIEST = "1900-01-01T00:00:00Z"


@dataclass(frozen=True)
class Wanted:
    symbol: str
    timeframe: str
    #: RFC 3339 or a date; None: all there is.
    start: str | None
    #: Exclusive.
    end: str | None


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

    frames = []
    params: dict[str, str | int] = {
        "timeframe": wanted.timeframe,
        "start": wanted.start or _EARLIEST,
        "limit": _PAGE,
    }
    if wanted.end is not None:
        params["end"] = wanted.end
    while True:
        page = await gateway.call("GET", f"/candles/{quote(wanted.symbol, safe='')}", params=params)
        completed = [item for item in page["items"] if item["complete"]]
        if completed:
            frames.append(_frame(completed, wanted))
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
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
