"""Files of trade prints: CSV, gzipped or not, checked line by line.

The columns `timestamp,symbol,price,size` may come in any order; others are ignored. Lines are
in time order. A file is read in pieces, so its size doesn't matter; each piece goes through
polars, and only a piece in which that finds something wrong is read again line by line, by the
code in `lines.py` that decides what is accepted and words the refusal.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from shared.market_files.lines import (
    COLUMNS,
    SYMBOL_PATTERN,
    TIMESTAMP_PATTERN,
    Header,
    TradeFileError,
    parse_header,
    parse_lines,
)

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FileSummary", "TradeColumns", "TradeFileError", "read_trades", "summarize"]

#: Decompressed bytes that are parsed at once: about 100,000 prints.
PIECE_BYTES = 4 << 20
_MAX_LINE_BYTES = 64 << 10
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Prints in time order, as columns of equal length."""

    symbols: list[str]
    #: Index into `symbols`, print by print.
    symbol_index: list[int]
    at_ns: list[int]
    price: list[float]
    size: list[float]

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True)
class FileSummary:
    rows: int
    #: In the order of their first print.
    symbols: list[str]
    first_ns: int
    last_ns: int


def summarize(
    path: Path,
    name: str | None = None,
    max_rows: int | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> FileSummary:
    """Read a whole file, checking every line. `name` stands for it in refusals.

    Raises TradeFileError at the first thing that is wrong.
    """
    rows, first_ns, last_ns = 0, 0, 0
    symbols: dict[str, None] = {}
    for frame in _frames(path, name or path.name, piece_bytes):
        if not rows:
            first_ns = frame["at_ns"][0]
        rows += frame.height
        if max_rows is not None and rows > max_rows:
            raise TradeFileError(name or path.name, None, f"it has more than {max_rows} trades")
        last_ns = frame["at_ns"][-1]
        symbols.update(dict.fromkeys(frame["symbol"].unique(maintain_order=True)))
    return FileSummary(rows, list(symbols), first_ns, last_ns)


def read_trades(
    paths: Sequence[Path],
    names: Sequence[str] | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[TradeColumns]:
    """The prints of all files merged by time, in pieces that are never empty.

    Prints of one time keep the order of the files, then of the lines. Raises TradeFileError.
    """
    called = names or [path.name for path in paths]
    files = [_frames(path, name, piece_bytes) for path, name in zip(paths, called, strict=True)]
    merged = files[0] if len(files) == 1 else _merge(files)
    for frame in merged:
        yield _columns(frame)


def _columns(frame: pl.DataFrame) -> TradeColumns:
    import polars as pl

    symbols = frame["symbol"].unique(maintain_order=True).to_list()
    if len(symbols) == 1:
        index = [0] * frame.height
    else:
        index = frame["symbol"].cast(pl.Enum(symbols)).to_physical().to_list()
    return TradeColumns(
        symbols=symbols,
        symbol_index=index,
        at_ns=frame["at_ns"].to_list(),
        price=frame["price"].to_list(),
        size=frame["size"].to_list(),
    )


class _Source:
    """One file of a merge: what has been read of it and not been passed on yet."""

    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._frames = frames
        self.head = next(frames)  # a file without prints has been refused by now
        self.ended = False

    @property
    def last_ns(self) -> int:
        return int(self.head["at_ns"][-1])

    def extend(self) -> None:
        import polars as pl

        following = next(self._frames, None)
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


def _merge(files: Iterable[Iterator[pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    import polars as pl

    sources = [_Source(frames) for frames in files]
    while sources:
        # Beyond the least of the ends, a file that isn't read to its end may have more to say.
        limit_ns = min((source.last_ns for source in sources if not source.ended), default=None)
        parts = [source.take_before(limit_ns) for source in sources]
        frame = pl.concat(parts).sort("at_ns", maintain_order=True)
        if frame.height:
            yield frame
        for source in sources:
            if not source.ended and source.last_ns == limit_ns:
                source.extend()
        sources = [source for source in sources if source.head.height]


# --- one file ----------------------------------------------------------------------------------


def _frames(path: Path, name: str, piece_bytes: int) -> Iterator[pl.DataFrame]:
    """Checked prints of one file, piece by piece; at least one."""
    line, last_ns = 1, 0
    header: Header | None = None
    empty = True
    for piece in _pieces(path, name, piece_bytes):
        body = piece
        if header is None:
            first, _, body = piece.partition(b"\n")
            header = parse_header(first, name)
            line = 2
            if not body:
                continue
        frame = _fast(body, header, last_ns)
        if frame is None:
            frame = _careful(body, header, name, line, last_ns)
        empty = False
        last_ns = frame["at_ns"][-1]
        line += frame.height
        yield frame
    if header is None:
        raise TradeFileError(name, None, "the file is empty")
    if empty:
        raise TradeFileError(name, None, "there is no trade after the header line")


def _pieces(path: Path, name: str, piece_bytes: int) -> Iterator[bytes]:
    """The file's text in pieces of whole lines, without the last newline of each.

    Newlines at the end of the file say nothing and are left out.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not zipped and name.endswith(".gz"):
                raise TradeFileError(name, None, "it is not gzip data, as its name says")
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if zipped else raw)
            yield from _whole_lines(stream, name, piece_bytes)
    except EOFError:
        raise TradeFileError(name, None, "the gzip data breaks off before its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise TradeFileError(name, None, f"the gzip data is damaged ({error})") from None


def _whole_lines(stream: IO[bytes], name: str, piece_bytes: int) -> Iterator[bytes]:
    rest = b""
    line = 1
    while data := stream.read(piece_bytes):
        if b"\r" in data or rest.endswith(b"\r"):
            joined = (rest + data).replace(b"\r\n", b"\n")
        else:
            joined = rest + data
        end = joined.rfind(b"\n")
        if len(joined) - end > _MAX_LINE_BYTES:
            number = line + joined.count(b"\n")
            raise TradeFileError(name, number, f"it is longer than {_MAX_LINE_BYTES} bytes")
        # The newlines that end this piece stay: only what follows tells if they are the last.
        piece = joined[: end + 1].rstrip(b"\n")
        rest = joined[len(piece) :]
        if len(rest) > _MAX_LINE_BYTES and not rest.strip(b"\n"):
            raise TradeFileError(name, line + piece.count(b"\n") + 1, "it is empty")
        if piece:
            line += piece.count(b"\n")
            yield piece[1:] if piece.startswith(b"\n") else piece
    last = rest.rstrip(b"\r\n")
    if last:
        yield last[1:] if last.startswith(b"\n") else last


def _fast(body: bytes, header: Header, last_ns: int) -> pl.DataFrame | None:
    """All lines at once; None when anything about them is unusual or wrong."""
    import polars as pl

    if b'"' in body or not body.isascii():
        return None
    try:
        text = pl.read_csv(
            body,
            has_header=False,
            new_columns=[f"c{index}" for index in range(header.width)],
            schema_overrides=[pl.String] * header.width,
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None
    if text.width != header.width or text.height != body.count(b"\n") + 1:
        return None
    # A short line reads as nulls at its end.
    if sum(text.null_count().row(0)):
        return None
    stamp, symbol, price, size = (text[f"c{header.index[name]}"] for name in COLUMNS)
    if not stamp.str.contains(TIMESTAMP_PATTERN).all():
        return None
    frame = pl.DataFrame(
        {
            "symbol": symbol,
            "at_ns": stamp.str.to_datetime(
                "%+", time_unit="ns", time_zone="UTC", strict=False
            ).to_physical(),
            "price": price.cast(pl.Float64, strict=False),
            "size": size.cast(pl.Float64, strict=False),
        }
    )
    return frame if _is_sound(frame, last_ns) else None


def _is_sound(frame: pl.DataFrame, last_ns: int) -> bool:
    if sum(frame.null_count().row(0)):
        return False
    at, price, size = frame["at_ns"], frame["price"], frame["size"]
    if at[0] < last_ns or not at.is_sorted():
        return False
    if not bool(price.is_finite().all() and size.is_finite().all()):
        return False
    if cast("float", price.min()) <= 0 or cast("float", size.min()) <= 0:
        return False
    return bool(frame["symbol"].unique().str.contains(SYMBOL_PATTERN).all())


def _careful(body: bytes, header: Header, name: str, line: int, last_ns: int) -> pl.DataFrame:
    import polars as pl

    symbol, at_ns, price, size = parse_lines(body, header, name, line, last_ns)
    return pl.DataFrame(
        {"symbol": symbol, "at_ns": at_ns, "price": price, "size": size},
        schema={
            "symbol": pl.String,
            "at_ns": pl.Int64,
            "price": pl.Float64,
            "size": pl.Float64,
        },
    )
