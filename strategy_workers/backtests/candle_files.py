"""Files of candles: CSV (gzipped or not) or Parquet, checked row by row.

Columns `timestamp` (start of the interval; ISO 8601 with a zone, in Parquet a datetime, UTC when
it has none), `open,high,low,close,volume`, and where the file has them `symbol`, `vwap` and
`trades`. Without `symbol` the file's name up to its first dot is the symbol.
"""

from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

from shared.market_files.lines import TIMESTAMP_PATTERN, is_symbol
from strategy_workers.backtests.errors import BadBacktestError

_PRICES: Final = ("open", "high", "low", "close")
_NEEDED: Final = ("timestamp", *_PRICES, "volume")
_OPTIONAL: Final = ("symbol", "vwap", "trades")


def read_candles(paths: tuple[Path, ...]) -> dict[str, pl.DataFrame]:
    """Symbol → rows `start_ns open high low close volume vwap trades`, ascending, no time twice.

    Raises BadBacktestError with file, line and what is wrong.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    for path in paths:
        frame = _checked(_typed(_read(path), path), path)
        for (symbol,), rows in frame.group_by("symbol", maintain_order=True):
            frames.setdefault(str(symbol), []).append(rows)
    return {symbol: _joined(symbol, parts) for symbol, parts in frames.items()}


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.name.endswith(".parquet"):
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise BadBacktestError(f"can't read {path}: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise BadBacktestError(
            f"{path.name} can't be read: {str(error).splitlines()[0]}"
        ) from error
    names = [name.strip().lower() for name in frame.columns]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise BadBacktestError(f"{path.name} has no column {', '.join(missing)}")
    frame.columns = names
    if not frame.height:
        raise BadBacktestError(f"{path.name} has no candle")
    return frame.select(*_NEEDED, *(name for name in _OPTIONAL if name in names))


def _typed(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """With every column there, null where the file's value makes no sense."""
    stamp = frame.schema["timestamp"]
    time = pl.col("timestamp")
    if stamp == pl.String:
        time = (
            pl.when(time.str.contains(TIMESTAMP_PATTERN))
            .then(time)
            .str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)
        )
    elif stamp == pl.Date:
        time = time.cast(pl.Datetime("ns"))
    elif isinstance(stamp, pl.Datetime):
        time = time.dt.cast_time_unit("ns")
    else:
        raise BadBacktestError(f"{path.name}: the column timestamp holds {stamp}, not times")
    names = frame.columns
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in (*_PRICES, "volume")]
    high, low, close = (pl.col(name).cast(pl.Float64, strict=False) for name in _PRICES[1:])
    return frame.select(
        pl.col("symbol").cast(pl.String) if "symbol" in names else _symbol_of(path),
        time.cast(pl.Int64).alias("start_ns"),
        *numbers,
        # Nobody knows: the typical price stands for it.
        pl.col("vwap").cast(pl.Float64, strict=False)
        if "vwap" in names
        else ((high + low + close) / 3).clip(low, high).alias("vwap"),
        pl.col("trades").cast(pl.Int64, strict=False)
        if "trades" in names
        else pl.lit(0, dtype=pl.Int64).alias("trades"),
    )


def _symbol_of(path: Path) -> pl.Expr:
    return pl.lit(path.name.partition(".")[0]).alias("symbol")


def _checked(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    low, high = pl.col("low"), pl.col("high")
    symbols = frame["symbol"].unique()
    bad = [name for name in symbols.to_list() if name is None or not is_symbol(name)]
    wrong: list[tuple[pl.Expr, str]] = [
        (
            pl.col("symbol").is_null() | pl.col("symbol").is_in(bad),
            "its symbol is not 1 to 32 of A-Z, 0-9 and ._/-",
        ),
        (pl.col("start_ns").is_null(), "its timestamp is not ISO 8601 with a zone"),
        *(
            (~_finite(name) | (pl.col(name) <= 0), f"its {name} is not a finite number above zero")
            for name in _PRICES
        ),
        (~_finite("volume") | (pl.col("volume") < 0), "its volume is not a number from zero up"),
        (low > pl.min_horizontal("open", "close"), "its low is above its open or close"),
        (high < pl.max_horizontal("open", "close"), "its high is below its open or close"),
        (~_finite("vwap") | (pl.col("vwap") < low) | (pl.col("vwap") > high), "its vwap is off"),
        (pl.col("trades").is_null() | (pl.col("trades") < 0), "its trades are no number"),
        (
            pl.col("start_ns") <= pl.col("start_ns").shift().over("symbol"),
            "its time is not after that of the symbol's candle before",
        ),
    ]
    flags = frame.select(
        condition.fill_null(value=False).alias(str(n)) for n, (condition, _) in enumerate(wrong)
    )
    if not flags.select(pl.any_horizontal(pl.all()).any()).item():
        return frame
    row = int(flags.select(pl.any_horizontal(pl.all()).arg_max()).item())
    first = next(n for n, flag in enumerate(flags.row(row)) if flag)
    where = "row" if path.name.endswith(".parquet") else "line"
    number = row + 1 if where == "row" else row + 2
    raise BadBacktestError(f"{path.name}, {where} {number}: {wrong[first][1]}")


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(value=False)


def _joined(symbol: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    parts.sort(key=lambda part: part["start_ns"][0])
    for before, after in pairwise(parts):
        if after["start_ns"][0] <= before["start_ns"][-1]:
            raise BadBacktestError(f"two files have candles of {symbol} of the same time")
    return pl.concat(parts).drop("symbol")
