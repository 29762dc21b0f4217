"""Types of the HTTP edge: exact numbers, times and texts that everything behind can rely on.

Whatever these let through can be stored in Postgres, put into a URL and encoded as UTF-8.
"""

import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

T = TypeVar("T", bound=BaseModel)

DECIMAL_PLACES = 12
#: Above any sensible price, quantity or capital, and far inside the columns' 26 digits.
LARGEST = Decimal(10) ** 15

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DECIMAL = re.compile(rf"[+-]?[0-9]{{1,16}}(\.[0-9]{{1,{DECIMAL_PLACES}}})?")
#: Letters, digits and some marks; one slash may part a pair (`BTC/USDT`). Never a dot segment:
#: symbols become parts of URLs.
_SYMBOL = r"^[A-Za-z0-9^][A-Za-z0-9._:^=-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)?$"


class Input(BaseModel):
    """A request body. Unknown fields are refused: a misspelt one must not pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """A response body."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


# --- exact numbers ---------------------------------------------------------------------------


def plain(value: Decimal) -> str:
    """Without exponent and trailing zeros: one text for equal numbers."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _exact(value: object) -> Decimal:
    """A decimal string, or a JSON number by its shortest text (0.1 means 0.1)."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        # A NaN is not below anything, but Decimal would raise at the comparison.
        inside = math.isfinite(value) and abs(value) <= LARGEST
        value = plain(Decimal(repr(value))) if inside else "out of range"
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= LARGEST else "out of range"
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError(
            f"must be a plain decimal number with at most {DECIMAL_PLACES} decimals, "
            f"below {plain(LARGEST)}"
        )
    return Decimal(value)


def _decimal_schema(sign: str = "", **bounds: float) -> WithJsonSchema:
    pattern = rf"^{sign}[0-9]{{1,16}}(\.[0-9]{{1,{DECIMAL_PLACES}}})?$"
    return WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number", **bounds}]},
        mode="validation",
    )


PositiveDecimal = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(gt=0, lt=LARGEST),
    _decimal_schema(exclusiveMinimum=0, exclusiveMaximum=float(LARGEST)),
]
BasisPoints = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, le=1000),
    _decimal_schema(minimum=0, maximum=1000),
]


def _whole_cents(value: Decimal) -> Decimal:
    if value != round(value, 2):
        raise ValueError("must not have more than 2 decimals")
    return value


def _not_zero(value: Decimal) -> Decimal:
    if value == 0:
        raise ValueError("must not be zero")
    return value


Capital = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(gt=0, le=10**12),
    AfterValidator(_whole_cents),
    _decimal_schema(exclusiveMinimum=0, maximum=1e12),
]
SignedMoney = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=-(10**12), le=10**12),
    AfterValidator(_whole_cents),
    AfterValidator(_not_zero),
    _decimal_schema("-?", minimum=-1e12, maximum=1e12),
]
#: Of an answer.
Exact = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["101.25"]}),
]


#: Of documents that are asked for and answered in the same words.
_TOLD = (
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}, mode="serialization"),
)
Rate = Annotated[BasisPoints, *_TOLD]
Percent = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, le=100),
    _decimal_schema(minimum=0, maximum=100),
    *_TOLD,
]
Fee = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, le=1_000_000),
    _decimal_schema(minimum=0, maximum=1_000_000),
    *_TOLD,
]
Turnover = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, lt=LARGEST),
    _decimal_schema(minimum=0, exclusiveMaximum=float(LARGEST)),
    *_TOLD,
]


# --- times -----------------------------------------------------------------------------------


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _of_markets(value: datetime) -> datetime:
    if not 1900 <= value.year < 2200:
        raise ValueError("must lie between the years 1900 and 2199")
    return value


#: A moment that a market may have data of, and that fits into nanoseconds.
MarketTime = Annotated[UtcTime, AfterValidator(_of_markets)]


def _day(value: object) -> object:
    """Only as text: pydantic would take a number for seconds."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a day such as 2026-03-19")
    return value


def _day_of_markets(value: date) -> date:
    if not 1970 <= value.year < 2200:
        raise ValueError("must lie between the years 1970 and 2199")
    return value


MarketDay = Annotated[date, BeforeValidator(_day), AfterValidator(_day_of_markets)]


# --- documents -------------------------------------------------------------------------------


def _encodable(document: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Python reads more than JSON has: NaN, Infinity, halves of characters."""
    try:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ValueError("must hold plain JSON values") from error
    return document


#: What another service knows the shape of.
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_encodable)]


# --- texts -----------------------------------------------------------------------------------


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


#: A text for people, such as a name.
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_printable),
]
#: Why something is done, for people who read it later.
Remark = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]
#: What a client types to be recognised or to search: anything printable, of bounded length.
Phrase = Annotated[str, StringConstraints(max_length=320), AfterValidator(_printable)]
ClientOrderId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
Symbol = Annotated[str, StringConstraints(pattern=_SYMBOL, max_length=32)]
#: Of a strategy, an indicator, a file.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def view(kind: type[T], value: Any) -> T:
    """`value`'s attributes in the shape of `kind`."""
    return kind.model_validate(value, from_attributes=True)
