"""Symbol mappings as CSV: read with each faulty row told, and written. Pure."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from decimal import Decimal, InvalidOperation
from typing import Final, get_args

from market_data_engine.csv_rows import Row, TableError, at_line, read_rows
from market_data_engine.mappings.schemas import Kind, Mapping
from shared.market_files.lines import is_symbol

REQUIRED: Final = ("party", "symbol", "token")
OPTIONAL: Final = ("exchange", "kind", "lot_size", "tick_size")
MOST_ROWS: Final = 20_000

_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")
_EXCHANGE = re.compile(r"[A-Za-z0-9_./-]{1,32}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def read_mappings(content: bytes, parties: Collection[str]) -> list[tuple[int, Mapping]]:
    """(line, mapping), in the order of the file. Raises TableError with all that is wrong."""
    found: list[tuple[int, Mapping]] = []
    faults: list[str] = []
    symbols: dict[tuple[str, str], int] = {}
    tokens: dict[tuple[str, str], int] = {}
    for row in read_rows(content, REQUIRED, OPTIONAL, most=MOST_ROWS):
        wrong = list(_faults(row, parties))
        party, symbol, token = (row.cells[name] for name in REQUIRED)
        for seen, what in ((symbols, symbol), (tokens, token)):
            first = seen.setdefault((party, what), row.line)
            if first != row.line:
                wrong.append(f"{what} of {party} is on line {first} already.")
        faults += [at_line(row.line, sentence) for sentence in wrong]
        if not wrong:
            found.append((row.line, _mapping(row)))
    if faults:
        raise TableError(faults)
    return found


def _faults(row: Row, parties: Collection[str]) -> Iterable[str]:
    cells = row.cells
    if cells["party"] not in parties:
        known = ", ".join(sorted(parties))
        yield f"{cells['party']!r} is no broker or provider; these are: {known}."
    if not is_symbol(cells["symbol"]):
        yield f"{cells['symbol']!r} is no symbol."
    if not _TOKEN.fullmatch(cells["token"]):
        yield "token must be 1 to 64 characters without spaces."
    exchange, kind = cells.get("exchange", ""), cells.get("kind", "")
    if exchange and not _EXCHANGE.fullmatch(exchange):
        yield f"{exchange!r} is no name of an exchange."
    if kind and kind not in get_args(Kind):
        yield f"{kind!r} is no kind; these are: {', '.join(get_args(Kind))}."
    for name in ("lot_size", "tick_size"):
        text = cells.get(name, "")
        if text and _amount(text) is None:
            yield f"{name} must be a plain decimal above zero with at most 12 decimals."


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text) if _AMOUNT.fullmatch(text) else Decimal(0)
    except InvalidOperation:
        return None
    return amount if amount > 0 else None


def _mapping(row: Row) -> Mapping:
    cells = row.cells
    return Mapping(
        party=cells["party"],
        symbol=cells["symbol"],
        token=cells["token"],
        exchange=cells.get("exchange") or None,
        kind=cells.get("kind") or None,
        lot_size=_amount(cells.get("lot_size", "")),
        tick_size=_amount(cells.get("tick_size", "")),
    )


def as_table(mappings: Iterable[Mapping]) -> str:
    """What `read_mappings` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*REQUIRED, *OPTIONAL])
    for one in mappings:
        cells = one.model_dump(mode="json")
        writer.writerow(["" if cells[n] is None else cells[n] for n in (*REQUIRED, *OPTIONAL)])
    return text.getvalue()
