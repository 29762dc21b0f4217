"""Market files as one market: prints and quotes of any number of files, merged by time.

A quote file says of each row which side has changed: a price of 0 leaves the side as it was, a
price with size 0 takes the quote away. So a row stands for the best bid and offer of the whole
market; the venue that a file may name beside it is where that is, and changes nothing. Rows of a
symbol with equal times are one quote, however many of them tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.market_files.columns import NO_TRADES, MarketColumns, QuoteColumns, TradeColumns
from shared.market_files.reading import PIECE_BYTES, frames, is_quotes

if TYPE_CHECKING:
    import polars as pl

_SIDES = (("bid", "bid_size"), ("ask", "ask_size"))
_NUMBERS = ("bid", "ask", "bid_size", "ask_size")


def read_market(
    paths: Sequence[Path],
    names: Sequence[str] | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[MarketColumns]:
    """Rows of all files merged by time. Rows of one time keep the order of the files, then of the
    lines. Raises MarketFileError."""
    called = names or [path.name for path in paths]
    files = [frames(path, name, piece_bytes) for path, name in zip(paths, called, strict=True)]
    known = _KnownQuotes()
    for trades, quotes in _merge(files):
        yield MarketColumns(
            NO_TRADES if trades is None else _trade_columns(trades),
            None if quotes is None else known.whole(quotes),
        )


def _indexed(frame: pl.DataFrame) -> tuple[list[str], list[int]]:
    import polars as pl

    symbols = frame["symbol"].unique(maintain_order=True).to_list()
    if len(symbols) == 1:
        return symbols, [0] * frame.height
    return symbols, frame["symbol"].cast(pl.Enum(symbols)).to_physical().to_list()


def _trade_columns(frame: pl.DataFrame) -> TradeColumns:
    symbols, index = _indexed(frame)
    return TradeColumns(
        symbols=symbols,
        symbol_index=index,
        at_ns=frame["at_ns"].to_list(),
        price=frame["price"].to_list(),
        size=frame["size"].to_list(),
    )


class _KnownQuotes:
    """What has been told of each symbol's two sides so far."""

    def __init__(self) -> None:
        self._last: pl.DataFrame | None = None

    def whole(self, rows: pl.DataFrame) -> QuoteColumns:
        """`rows` with both sides."""
        import polars as pl

        before = 0 if self._last is None else self._last.height
        told = rows if self._last is None else pl.concat([self._last, rows])
        both = told.with_columns(
            *(_carried(price, price, size) for price, size in _SIDES),
            *(_carried(size, price, size) for price, size in _SIDES),
        )
        self._last = both.unique("symbol", keep="last", maintain_order=True)
        # What was told before of a symbol has price 0 only where there is none: it stays so.
        fresh = both.slice(before).unique(["symbol", "at_ns"], keep="last", maintain_order=True)
        symbols, index = _indexed(fresh)
        numbers = (fresh[name].to_list() for name in _NUMBERS)
        return QuoteColumns(symbols, index, fresh["at_ns"].to_list(), *numbers)


def _carried(column: str, price: str, size: str) -> pl.Expr:
    """The column where the row tells of the side, else as it was told before."""
    import polars as pl

    shown = pl.when(pl.col(size) > 0).then(pl.col(column)).otherwise(0.0)
    told = pl.when(pl.col(price) > 0).then(shown)
    return told.forward_fill().over("symbol").fill_null(0.0).alias(column)


class _Source:
    """One file of a merge: what has been read of it and not been passed on yet."""

    def __init__(self, pieces: Iterator[pl.DataFrame]) -> None:
        self.pieces = pieces
        self.head = next(pieces)  # a file without rows has been refused by now
        self.has_quotes = is_quotes(self.head)
        self.ended = False

    @property
    def last_ns(self) -> int:
        return int(self.head["at_ns"][-1])

    def extend(self) -> None:
        import polars as pl

        following = next(self.pieces, None)
        if following is None:
            self.ended = True
        else:
            self.head = pl.concat([self.head, following])

    def take_before(self, limit_ns: int | None) -> pl.DataFrame:
        count = (
            self.head.height
            if limit_ns is None
            else int(self.head["at_ns"].search_sorted(limit_ns, side="left"))
        )
        taken, self.head = self.head.slice(0, count), self.head.slice(count)
        return taken


def _merge(
    files: Iterable[Iterator[pl.DataFrame]],
) -> Iterator[tuple[pl.DataFrame | None, pl.DataFrame | None]]:
    """Trades and quotes of one stretch of time after another."""
    sources = [_Source(pieces) for pieces in files]
    if len(sources) == 1 and not sources[0].has_quotes:
        yield sources[0].head, None
        for rows in sources[0].pieces:
            yield rows, None
        return
    while sources:
        # Beyond the least of the ends, a file that isn't read to its end may have more to say.
        limit_ns = min((source.last_ns for source in sources if not source.ended), default=None)
        taken = [(source.has_quotes, source.take_before(limit_ns)) for source in sources]
        trades = _in_order([rows for quotes, rows in taken if not quotes])
        quotes = _in_order([rows for quotes, rows in taken if quotes])
        if trades is not None or quotes is not None:
            yield trades, quotes
        for source in sources:
            if not source.ended and source.last_ns == limit_ns:
                source.extend()
        sources = [source for source in sources if source.head.height]


def _in_order(parts: list[pl.DataFrame]) -> pl.DataFrame | None:
    """None when there are no rows."""
    import polars as pl

    parts = [rows for rows in parts if rows.height]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return pl.concat(parts).sort("at_ns", maintain_order=True)
