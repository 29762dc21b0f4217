"""What a line of a market file must look like, and the sentence that says why one does not."""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

#: Years that nanoseconds in 64 bits hold. Polars and `re` read both patterns alike.
TIMESTAMP_PATTERN: Final = (
    r"^(?:19[7-9][0-9]|20[0-9][0-9]|21[0-9][0-9])-[0-9]{2}-[0-9]{2}"
    r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
SYMBOL_PATTERN: Final = r"^[A-Z0-9][A-Z0-9._/-]{0,31}$"

_TIMESTAMP = re.compile(TIMESTAMP_PATTERN)
_SYMBOL = re.compile(SYMBOL_PATTERN)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MarketFileError(ValueError):
    """The file is refused. The message is one sentence: file, line, what is wrong."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {problem}.")
        self.file = file
        #: From 1; None when it is about the file as a whole.
        self.line = line


@dataclass(frozen=True, slots=True)
class Form:
    """What the rows of a file are."""

    kind: Literal["trades", "quotes"]
    #: Of one row, in sentences.
    noun: str
    #: Columns next to timestamp and symbol, in the order that this package hands them on.
    numbers: tuple[str, ...]
    #: Else every number is above zero.
    zero_allowed: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return ("timestamp", "symbol", *self.numbers)


TRADES: Final = Form("trades", "trade", ("price", "size"), zero_allowed=False)
#: A row tells of one side, the price of the other being 0, or of both.
QUOTES: Final = Form("quotes", "quote", ("bid", "ask", "bid_size", "ask_size"), zero_allowed=True)


@dataclass(frozen=True, slots=True)
class Header:
    form: Form
    width: int
    #: Column name → position in the line.
    index: Mapping[str, int]


def is_symbol(text: str) -> bool:
    return _SYMBOL.fullmatch(text) is not None


def parse_header(line: bytes, file: str) -> Header:
    try:
        names = [name.strip().strip('"').lower() for name in line.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError:
        raise MarketFileError(file, 1, "it is not UTF-8 text") from None
    quoted = "price" not in names and ("bid" in names or "ask" in names)
    form = QUOTES if quoted else TRADES
    for name in form.columns:
        if names.count(name) > 1:
            raise MarketFileError(file, 1, f"the column {name!r} is there more than once")
    missing = [name for name in form.columns if name not in names]
    if missing:
        what, are = ("columns", "are") if len(missing) > 1 else ("column", "is")
        wanted = ", ".join(repr(name) for name in missing)
        raise MarketFileError(file, 1, f"the {what} {wanted} {are} missing from the header")
    return Header(form, len(names), {name: names.index(name) for name in form.columns})


#: Symbols, times, and a column for each number of the form.
Columns = tuple[list[str], list[int], list[list[float]]]


def parse_lines(body: bytes, header: Header, file: str, line: int, last_ns: int) -> Columns:
    """`line` is the number of the first one, `last_ns` the time of the row before it.

    Raises MarketFileError.
    """
    symbols: list[str] = []
    times: list[int] = []
    rows: list[list[float]] = []
    for number, raw in enumerate(body.split(b"\n"), start=line):
        try:
            at_ns, symbol, numbers = _parse_line(raw, header)
            if at_ns < last_ns:
                raise ValueError("its time is before that of the line above")
        except ValueError as error:
            raise MarketFileError(file, number, str(error)) from None
        last_ns = at_ns
        symbols.append(symbol)
        times.append(at_ns)
        rows.append(numbers)
    return symbols, times, [list(column) for column in zip(*rows, strict=True)]


def _parse_line(raw: bytes, header: Header) -> tuple[int, str, list[float]]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not text.strip():
        raise ValueError("it is empty")
    try:
        fields = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(f"it is not valid CSV ({error})") from None
    if len(fields) != header.width:
        raise ValueError(f"it has {len(fields)} fields, the header has {header.width}")
    form = header.form
    stamp, symbol, *texts = (fields[header.index[name]] for name in form.columns)
    if not symbol:
        raise ValueError("the symbol is empty")
    if not is_symbol(symbol):
        raise ValueError(
            f"the symbol {_shown(symbol)} is not 1 to 32 of A-Z, 0-9 and ._/-,"
            " with a letter or digit first"
        )
    at_ns = parse_time(stamp)
    numbers = [
        _number(name.replace("_", " "), text, zero_allowed=form.zero_allowed)
        for name, text in zip(form.numbers, texts, strict=True)
    ]
    if form is QUOTES and not numbers[0] and not numbers[1]:
        raise ValueError("it has neither a bid nor an ask")
    return at_ns, symbol, numbers


def parse_time(text: str) -> int:
    """Nanoseconds since the epoch of an ISO 8601 time with its zone; ValueError says why not."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(
            f"the timestamp {_shown(text)} is not ISO 8601 with a zone, from 1970 to 2199,"
            " such as 2013-10-07T13:30:00.125Z"
        )
    whole = text[:19]
    fraction = re.match(r"\.([0-9]+)", text[19:])
    digits = fraction.group(1) if fraction else ""
    zone = text[19 + (len(digits) + 1 if digits else 0) :]
    try:
        moment = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    except ValueError:
        raise ValueError(f"the timestamp {_shown(text)} is not a date of the calendar") from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int(digits.ljust(9, "0"))


def _number(what: str, text: str, *, zero_allowed: bool) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"the {what} {_shown(text)} is not a finite number")
    if value < 0 or (value == 0 and not zero_allowed):
        least = "zero or above" if zero_allowed else "above zero"
        raise ValueError(f"the {what} {_shown(text)} is not {least}")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
