"""The candle store in Postgres."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extras import execute_values
from sqlalchemy import Engine, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from market_data_engine.store.store import Series, StoreAwayError, in_order
from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UPSERT = """
    INSERT INTO candles AS c (symbol, timeframe, start, "end", open, high, low, close,
                              volume, vwap, trades, source, quality, as_of)
    VALUES %s
    ON CONFLICT (symbol, timeframe, start) DO UPDATE
       SET "end" = excluded."end", open = excluded.open, high = excluded.high,
           low = excluded.low, close = excluded.close, volume = excluded.volume,
           vwap = excluded.vwap, trades = excluded.trades, source = excluded.source,
           quality = excluded.quality, as_of = excluded.as_of
     WHERE (c."end", c.open, c.high, c.low, c.close, c.volume, c.vwap, c.trades, c.source,
            c.quality)
           IS DISTINCT FROM
           (excluded."end", excluded.open, excluded.high, excluded.low, excluded.close,
            excluded.volume, excluded.vwap, excluded.trades, excluded.source,
            excluded.quality)
"""
# Candles start and end on whole seconds: sessions open and close on whole minutes.
_COLUMNS = """
    extract(epoch FROM start)::bigint, extract(epoch FROM "end")::bigint,
    open, high, low, close, volume, vwap, trades,
    source, quality, (extract(epoch FROM as_of) * 1000000)::bigint
"""
_PAGE = text(
    f"""
    SELECT {_COLUMNS} FROM candles
     WHERE symbol = :symbol AND timeframe = :timeframe AND start >= :start AND start < :end
     ORDER BY start LIMIT :limit
    """  # noqa: S608 - columns are a constant of ours
)
_LAST = text(
    f"""
    SELECT {_COLUMNS} FROM candles
     WHERE symbol = :symbol AND timeframe = :timeframe AND start < :end
     ORDER BY start DESC LIMIT :limit
    """  # noqa: S608 - columns are a constant of ours
)
_SERIES = text(
    """
    SELECT symbol, timeframe, count(*) AS candles, array_agg(DISTINCT source) AS sources,
           extract(epoch FROM min(start))::bigint AS first,
           extract(epoch FROM max(start))::bigint AS last
      FROM candles WHERE CAST(:symbol AS text) IS NULL OR symbol = :symbol
     GROUP BY symbol, timeframe
    """
)
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def _moment(at_ns: int) -> datetime:
    """Rounded up: candles start on whole seconds, and ranges compare with their starts."""
    return _EPOCH + timedelta(microseconds=-(-at_ns // 1000))


@contextmanager
def _away_when_unreachable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreAwayError(f"Postgres: {error}") from error


class PostgresCandleStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, candles: Sequence[StoredCandle]) -> None:
        # One statement can't touch a row twice; the later candle is the one that counts.
        rows = {
            (one.candle.symbol, one.candle.timeframe, one.candle.start_ns): _values(one)
            for one in candles
        }
        with _away_when_unreachable(), self._engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            with driver.cursor() as cursor:
                # Sorted, so that two writers can't lock the same rows in opposite order.
                execute_values(cursor, _UPSERT, [rows[key] for key in sorted(rows)], page_size=1000)

    def page(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        start_ns: int,
        end_ns: int | None,
        limit: int,
    ) -> list[StoredCandle]:
        end = _END_OF_TIME if end_ns is None else _moment(end_ns)
        return self._read(
            _PAGE,
            symbol,
            timeframe,
            {"start": _moment(start_ns), "end": end, "limit": limit},
        )

    def last(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int | None, limit: int
    ) -> list[StoredCandle]:
        end = _END_OF_TIME if before_ns is None else _moment(before_ns)
        return self._read(_LAST, symbol, timeframe, {"end": end, "limit": limit})[::-1]

    def series(self, symbol: str | None) -> list[Series]:
        with _away_when_unreachable(), self._engine.connect() as connection:
            rows = connection.execute(_SERIES, {"symbol": symbol}).all()
        return in_order(
            Series(row.symbol, row.timeframe, row.candles, *_spanned(row), row.sources)
            for row in rows
        )

    def _read(
        self, statement: Any, symbol: Symbol, timeframe: Timeframe, values: dict[str, object]
    ) -> list[StoredCandle]:
        with _away_when_unreachable(), self._engine.connect() as connection:
            rows = connection.execute(
                statement, {"symbol": symbol, "timeframe": timeframe, **values}
            ).all()
        return [
            StoredCandle(
                Candle(symbol, timeframe, row[0] * _SECOND_NS, row[1] * _SECOND_NS, *row[2:9]),
                row[9],
                row[10],
                row[11] * 1000,
            )
            for row in rows
        ]


def _spanned(row: Any) -> tuple[int, int]:
    return row.first * _SECOND_NS, row.last * _SECOND_NS


def _values(stored: StoredCandle) -> tuple[object, ...]:
    candle = stored.candle
    return (
        candle.symbol,
        candle.timeframe,
        _moment(candle.start_ns),
        _moment(candle.end_ns),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.vwap,
        candle.trades,
        stored.source,
        stored.quality,
        _EPOCH + timedelta(microseconds=stored.as_of_ns // 1000),
    )
