"""Keyset paging: a cursor says where the last page ended, so that no page repeats or skips rows.

Cursors are opaque to clients. One that wasn't made here is refused, never guessed at.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from api_gateway.errors import Refused
from api_gateway.values import View, view

T = TypeVar("T")
R = TypeVar("R")
V = TypeVar("V", bound=View)

LARGEST_BIGINT = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=1000, description="Items a page.")]
CursorText = Annotated[
    str | None,
    Query(max_length=400, description="`next_cursor` of the page before."),
]
Direction = Annotated[
    Literal["newest", "oldest"], Query(alias="order", description="What comes first.")
]


@dataclass(frozen=True)
class _Place:
    cursor: CursorText = None
    limit: Limit = 100


@dataclass(frozen=True)
class _OrderedPlace:
    direction: Direction = "newest"
    cursor: CursorText = None
    limit: Limit = 100

    @property
    def newest_first(self) -> bool:
        return self.direction == "newest"


#: Of a page, as a caller asks for it.
Place = Annotated[_Place, Depends()]
OrderedPlace = Annotated[_OrderedPlace, Depends()]


class Page(BaseModel, Generic[T]):
    model_config = ConfigDict(frozen=True)

    items: list[T]
    #: None on the last page.
    next_cursor: str | None = None


def page_of(
    kind: type[V], rows: Sequence[R], place: _Place | _OrderedPlace, cursor_of: Callable[[R], str]
) -> Page[V]:
    """`rows` has one more than fits when there is a next page."""
    limit = place.limit
    cursor = cursor_of(rows[limit - 1]) if len(rows) > limit else None
    return Page(items=[view(kind, row) for row in rows[:limit]], next_cursor=cursor)


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return raw.decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise invalid_cursor() from error


def invalid_cursor() -> Refused:
    return Refused("invalid_cursor", "The cursor is not one that an earlier page gave.")


def seq_cursor(seq: int) -> str:
    return _encode(str(seq))


def parse_seq_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    text = _decode(cursor)
    if not (text.isdigit() and len(text) <= 19 and int(text) <= LARGEST_BIGINT):
        raise invalid_cursor()
    return int(text)


def text_cursor(text: str) -> str:
    return _encode(text)


def parse_text_cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    text = _decode(cursor)
    if not text.isprintable():
        raise invalid_cursor()
    return text


def time_cursor(at: datetime, row_id: UUID) -> str:
    return _encode(f"{at.astimezone(UTC).isoformat()} {row_id}")


def parse_time_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, _, row_id = _decode(cursor).partition(" ")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise invalid_cursor()
        return moment.astimezone(UTC), UUID(row_id)
    except (ValueError, OverflowError) as error:
        raise invalid_cursor() from error
