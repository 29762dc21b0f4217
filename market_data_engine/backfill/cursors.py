"""How far each source has told of a symbol, in Postgres. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from market_data_engine.backfill.repository import moment, nanoseconds
from market_data_engine.feeds.presence import Span
from shared.database.tables import DataCursorRow, utc_now

_CURSORS = DataCursorRow.__table__


def note_spans(
    connection: Connection, symbols: Sequence[str], source: str, spans: Sequence[Span]
) -> None:
    """How far the source has told of one-minute candles; no cursor goes back."""
    values = [
        {
            "symbol": symbol,
            "timeframe": "1m",
            "source": source,
            "since": moment(span.from_ns),
            "until": moment(span.until_ns),
            "updated_at": utc_now(),
        }
        for symbol in symbols
        for span in spans
    ]
    if not values:
        return
    statement = insert(DataCursorRow).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["symbol", "timeframe", "source", "since"],
            set_={
                "until": func.greatest(_CURSORS.c.until, statement.excluded.until),
                "updated_at": statement.excluded.updated_at,
            },
        )
    )


def spans(connection: Connection, symbol: str, source: str, from_ns: int) -> list[Span]:
    rows = connection.execute(
        select(_CURSORS.c.since, _CURSORS.c.until).where(
            _CURSORS.c.symbol == symbol,
            _CURSORS.c.source == source,
            _CURSORS.c.until > moment(from_ns),
        )
    )
    return [Span(nanoseconds(row.since), nanoseconds(row.until)) for row in rows]


def told_until(connection: Connection, symbols: Sequence[str]) -> dict[str, int]:
    """Symbol → how far any source has told of it, in ns."""
    rows = connection.execute(
        select(_CURSORS.c.symbol, func.max(_CURSORS.c.until).label("until"))
        .where(_CURSORS.c.symbol.in_(symbols))
        .group_by(_CURSORS.c.symbol)
    )
    return {row.symbol: nanoseconds(row.until) for row in rows}


def forget_live(connection: Connection, before: datetime) -> None:
    """Where feeds were at times that nobody looks at any more."""
    live = _CURSORS.c.source == "live"
    connection.execute(delete(DataCursorRow).where(live & (_CURSORS.c.until < before)))
