"""Small tables that people upload as CSV: each row checked, each fault told with its line. Pure."""

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

#: Faults told of one file; more help nobody.
FAULTS_TOLD: Final = 50
_LONGEST_CELL = 200


@dataclass(frozen=True, slots=True)
class Row:
    #: In the file; the header is line 1.
    line: int
    #: By column, without spaces around; empty where nothing is said.
    cells: dict[str, str]


class TableError(Exception):
    """The table is refused. `faults` are sentences, with the line where it is one row's."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults[:3]))
        self.faults = list(faults[:FAULTS_TOLD])


def at_line(line: int, sentence: str) -> str:
    return f"line {line}: {sentence}"


def read_rows(
    content: bytes, required: Collection[str], optional: Collection[str] = (), *, most: int
) -> list[Row]:
    """Of UTF-8 text whose first line names the columns, in any order. Raises TableError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(["It is no UTF-8 text."]) from None
    if "\0" in text:
        raise TableError(["It holds a NUL character."])
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise TableError([f"It is no CSV: {error}."]) from None
    if not lines:
        raise TableError(["It is empty."])
    header = [name.strip().lower() for name in lines[0]]
    faults = _of_header(header, required, optional)
    if faults:
        raise TableError(faults)
    rows = []
    for line, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            faults.append(at_line(line, f"{len(cells)} cells, not {len(header)}."))
        elif any(len(cell) > _LONGEST_CELL or not cell.isprintable() for cell in cells):
            faults.append(at_line(line, f"a cell is no plain text of up to {_LONGEST_CELL}."))
        else:
            values = (cell.strip() for cell in cells)
            rows.append(Row(line, dict(zip(header, values, strict=True))))
    if faults:
        raise TableError(faults)
    if not rows:
        raise TableError(["It has no rows."])
    if len(rows) > most:
        raise TableError([f"It has more than {most} rows."])
    return rows


def _of_header(
    header: Sequence[str], required: Collection[str], optional: Collection[str]
) -> list[str]:
    known = [*required, *optional]
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in known]
    faults = []
    if missing:
        faults.append(f"line 1: the columns {', '.join(missing)} are missing.")
    if unknown:
        told = ", ".join(repr(name[:40]) for name in unknown[:5])
        faults.append(f"line 1: {told} are no columns; these are: {', '.join(known)}.")
    if len(set(header)) < len(header):
        faults.append("line 1: a column is named twice.")
    return faults
