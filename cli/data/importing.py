"""Files of candles, trades or quotes into the platform."""

import gzip
from pathlib import Path
from typing import Literal

from cli.client.gateway import Gateway, Json
from cli.errors import BadInputError

Kind = Literal["candles", "market"]


def kind_of(file: Path) -> Kind:
    """What a file's columns say: candles, or trades or quotes. BadInputError when they say
    neither."""
    columns = set(_columns(file))
    if "open" in columns:
        return "candles"
    if columns & {"price", "bid"}:
        if file.suffix == ".parquet":
            raise BadInputError(f"{file.name} has trades or quotes: these are taken as CSV")
        return "market"
    raise BadInputError(f"{file.name} has neither candles, nor trades, nor quotes")


def _columns(file: Path) -> list[str]:
    try:
        if file.suffix == ".parquet":
            import polars as pl

            return [name.strip().lower() for name in pl.read_parquet_schema(file)]
        with file.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            header = (gzip.GzipFile(fileobj=raw) if zipped else raw).readline(1 << 16)
        return [name.strip().lower() for name in header.decode().split(",")]
    except OSError as error:
        raise BadInputError(f"can't read {file}: {error.strerror or error}") from error
    except Exception as error:  # of polars, zlib, the decoder: what is there is no such file
        raise BadInputError(f"can't read {file}: {str(error).splitlines()[0]}") from error


async def import_file(
    gateway: Gateway, file: Path, kind: Kind, timeframe: str | None, exchange: str | None
) -> Json:
    if kind == "market":
        return await gateway.upload(file)
    assert timeframe is not None
    params = {"timeframe": timeframe} | ({} if exchange is None else {"exchange": exchange})
    return await gateway.upload(file, "candle-files", params)
