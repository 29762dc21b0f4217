"""Reading one market file: CSV, gzipped or not, checked line by line.

The columns may come in any order; others are ignored. What the header has says whether the rows
are trades (`price`, `size`) or quotes (`bid`, `ask`, `bid_size`, `ask_size`). Lines are in time
order. A file is read in pieces, so its size doesn't matter; each piece goes through polars, and
only a piece in which that finds something wrong is read again line by line, by the code in
`lines.py` that decides what is accepted and words the refusal.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

from shared.market_files.lines import (
    QUOTES,
    SYMBOL_PATTERN,
    TIMESTAMP_PATTERN,
    Header,
    MarketFileError,
    parse_header,
    parse_lines,
)

if TYPE_CHECKING:
    import polars as pl

#: Decompressed bytes that are parsed at once: about 100,000 prints.
PIECE_BYTES = 4 << 20
_MAX_LINE_BYTES = 64 << 10
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class FileSummary:
    kind: Literal["trades", "quotes"]
    rows: int
    #: In the order of their first row.
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

    Raises MarketFileError at the first thing that is wrong.
    """
    rows, first_ns, last_ns = 0, 0, 0
    kind: Literal["trades", "quotes"] = "trades"
    symbols: dict[str, None] = {}
    for frame in frames(path, name or path.name, piece_bytes):
        if not rows:
            first_ns = frame["at_ns"][0]
            kind = "quotes" if is_quotes(frame) else "trades"
        rows += frame.height
        if max_rows is not None and rows > max_rows:
            raise MarketFileError(name or path.name, None, f"it has more than {max_rows} {kind}")
        last_ns = frame["at_ns"][-1]
        symbols.update(dict.fromkeys(frame["symbol"].unique(maintain_order=True)))
    return FileSummary(kind, rows, list(symbols), first_ns, last_ns)


def is_quotes(frame: pl.DataFrame) -> bool:
    return "bid" in frame.columns


def frames(path: Path, name: str, piece_bytes: int) -> Iterator[pl.DataFrame]:
    """Checked rows of one file, piece by piece; at least one: columns symbol, at_ns, and the
    numbers of its form. Raises MarketFileError."""
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
        raise MarketFileError(name, None, "the file is empty")
    if empty:
        raise MarketFileError(name, None, f"there is no {header.form.noun} after the header line")


def _pieces(path: Path, name: str, piece_bytes: int) -> Iterator[bytes]:
    """The file's text in pieces of whole lines, without the last newline of each.

    Newlines at the end of the file say nothing and are left out.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not zipped and name.endswith(".gz"):
                raise MarketFileError(name, None, "it is not gzip data, as its name says")
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if zipped else raw)
            yield from _whole_lines(stream, name, piece_bytes)
    except EOFError:
        raise MarketFileError(name, None, "the gzip data breaks off before its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MarketFileError(name, None, f"the gzip data is damaged ({error})") from None


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
            raise MarketFileError(name, number, f"it is longer than {_MAX_LINE_BYTES} bytes")
        # The newlines that end this piece stay: only what follows tells if they are the last.
        piece = joined[: end + 1].rstrip(b"\n")
        rest = joined[len(piece) :]
        if len(rest) > _MAX_LINE_BYTES and not rest.strip(b"\n"):
            raise MarketFileError(name, line + piece.count(b"\n") + 1, "it is empty")
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
    form = header.form
    stamp, symbol, *numbers = (text[f"c{header.index[name]}"] for name in form.columns)
    if not stamp.str.contains(TIMESTAMP_PATTERN).all():
        return None
    frame = pl.DataFrame(
        {
            "symbol": symbol,
            "at_ns": stamp.str.to_datetime(
                "%+", time_unit="ns", time_zone="UTC", strict=False
            ).to_physical(),
            **{
                name: number.cast(pl.Float64, strict=False)
                for name, number in zip(form.numbers, numbers, strict=True)
            },
        }
    )
    return frame if _is_sound(frame, header, last_ns) else None


def _is_sound(frame: pl.DataFrame, header: Header, last_ns: int) -> bool:
    if sum(frame.null_count().row(0)):
        return False
    at = frame["at_ns"]
    if at[0] < last_ns or not at.is_sorted():
        return False
    form = header.form
    for name in form.numbers:
        column = frame[name]
        least = cast("float", column.min())
        if not column.is_finite().all() or least < 0 or (least == 0 and not form.zero_allowed):
            return False
    if form is QUOTES and not ((frame["bid"] > 0) | (frame["ask"] > 0)).all():
        return False
    return bool(frame["symbol"].unique().str.contains(SYMBOL_PATTERN).all())


def _careful(body: bytes, header: Header, name: str, line: int, last_ns: int) -> pl.DataFrame:
    import polars as pl

    symbol, at_ns, numbers = parse_lines(body, header, name, line, last_ns)
    return pl.DataFrame(
        {
            "symbol": symbol,
            "at_ns": at_ns,
            **dict(zip(header.form.numbers, numbers, strict=True)),
        },
        schema={
            "symbol": pl.String,
            "at_ns": pl.Int64,
            **dict.fromkeys(header.form.numbers, pl.Float64),
        },
    )
