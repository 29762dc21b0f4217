"""Where a list goes on: cursors that fit into a URL as they are."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from shared.service.problems import Problem

Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=200)]


def time_cursor(created_at: datetime, row_id: UUID) -> str:
    """Fit for a URL as it is: UTC as `Z`, not as `+00:00`."""
    return f"{created_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}={row_id}"


def time_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, _, row_id = cursor.partition("=")
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00")), UUID(row_id)
    except ValueError:
        raise _invalid_cursor() from None


def seq_place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise _invalid_cursor()
    return int(cursor)


def _invalid_cursor() -> Problem:
    return Problem(422, "invalid_cursor", "The cursor is not one that this list has given.")
