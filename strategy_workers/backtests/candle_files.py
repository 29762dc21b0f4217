"""Files of candles, for backtests."""

from pathlib import Path
from typing import TYPE_CHECKING

from shared.market_files import candles
from shared.market_files.errors import CandleFileError
from strategy_workers.backtests.errors import BadBacktestError

if TYPE_CHECKING:
    import polars as pl


def read_candles(paths: tuple[Path, ...]) -> "dict[str, pl.DataFrame]":
    """Raises BadBacktestError with file, line and what is wrong."""
    try:
        return candles.read_candles(paths)
    except CandleFileError as error:
        raise BadBacktestError(str(error)) from error
