"""Files of candles: CSV (gzipped or not) or Parquet, checked row by row.

Columns `timestamp` (start of the interval; ISO 8601 with a zone, in Parquet a datetime, UTC when
it has none), `open,high,low,close,volume`, and where the file has them `symbol`, `vwap` and
`trades`. Without `symbol` the file's name up to its first dot is the symbol.
"""

from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

from shared.market_files.errors import MOST_PROBLEMS, CandleFileError
from shared.market_files.lines import TIMESTAMP_PATTERN, is_symbol

_PRICES: Final = ("open", "high", "low", "close")
_NEEDED: Final = ("timestamp", *_PRICES, "volume")
_OPTIONAL: Final = ("symbol", "vwap", "trades")


def read_candles(
    paths: tuple[Path, ...], names: tuple[str, ...] | None = None
) -> dict[str, pl.DataFrame]:
    """Symbol → rows `start_ns open high low close volume vwap trades`, ascending, no time twice.

    `names` stand for the files. Raises CandleFileError with file, line and what is wrong.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    for path, name in zip(paths, names or [path.name for path in paths], strict=True):
        frame = _checked(_typed(_read(path, name), name), name)
        for (symbol,), rows in frame.group_by("symbol", maintain_order=True):
            frames.setdefault(str(symbol), []).append(rows)
    return {symbol: _joined(symbol, parts) for symbol, parts in frames.items()}


def _read(path: Path, name: str) -> pl.DataFrame:
    try:
        if name.endswith(".parquet"):
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise CandleFileError(f"can't read {path}: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise CandleFileError(f"{name} can't be read: {str(error).splitlines()[0]}") from error
    columns = [column.strip().lower() for column in frame.columns]
    if "timestamp" not in columns:  # as we write them ourselves
        columns = ["timestamp" if column == "start" else column for column in columns]
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise CandleFileError(f"{name} has no column {', '.join(missing)}")
    if len(set(columns)) < len(columns):
        raise CandleFileError(f"{name} has two columns of one name")
    frame.columns = columns
    if not frame.height:
        raise CandleFileError(f"{name} has no candle")
    return frame.select(*_NEEDED, *(column for column in _OPTIONAL if column in columns))


def _typed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
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
        raise CandleFileError(f"{name}: the column timestamp holds {stamp}, not times")
    names = frame.columns
    numbers = [pl.col(one).cast(pl.Float64, strict=False) for one in (*_PRICES, "volume")]
    high, low, close = (pl.col(one).cast(pl.Float64, strict=False) for one in _PRICES[1:])
    return frame.select(
        pl.col("symbol").cast(pl.String) if "symbol" in names else _symbol_of(name),
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


def _symbol_of(name: str) -> pl.Expr:
    return pl.lit(name.partition(".")[0]).alias("symbol")


def _checked(frame: pl.DataFrame, file: str) -> pl.DataFrame:
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
    is_bad = flags.select(pl.any_horizontal(pl.all())).to_series()
    if not is_bad.any():
        return frame
    where, first = ("row", 1) if file.endswith(".parquet") else ("line", 2)
    raise CandleFileError(
        *(
            f"{file}, {where} {row + first}: "
            + next(
                sentence for (_, sentence), flag in zip(wrong, flags.row(row), strict=True) if flag
            )
            for row in is_bad.arg_true().head(MOST_PROBLEMS).to_list()
        )
    )


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(value=False)


def _joined(symbol: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    parts.sort(key=lambda part: part["start_ns"][0])
    for before, after in pairwise(parts):
        if after["start_ns"][0] <= before["start_ns"][-1]:
            raise CandleFileError(f"two files have candles of {symbol} of the same time")
    return pl.concat(parts).drop("symbol")
