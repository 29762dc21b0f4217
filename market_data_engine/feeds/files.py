"""Replay of uploaded files, merged by time."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from market_data_engine.feeds.feed import read_ahead
from shared.market_files.columns import MarketColumns
from shared.market_files.market import read_market


class FileFeed:
    """`names` stand for the files in refusals."""

    def __init__(
        self, paths: Sequence[Path], names: Sequence[str], symbols: Sequence[str], rows: int
    ) -> None:
        self._paths = list(paths)
        self._names = list(names)
        self.symbols = list(symbols)
        self.total_ticks: int | None = rows

    def batches(self) -> AsyncIterator[MarketColumns]:
        return read_ahead(read_market(self._paths, self._names))
