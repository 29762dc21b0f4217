"""Candles in InfluxDB's words: a line to write, a row that was read, a query.

One measurement, `candles`; symbol and timeframe are tags, the candle's start is the point's time.
The source is a field, not a tag: a candle that another source replaces is the same point.

Lines: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
Queries: https://docs.influxdata.com/influxdb/v1/query_language/
"""

from market_data_engine.store.stored import Quality, StoredCandle
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

MEASUREMENT = "candles"
#: What a row begins with when it is asked for with `COLUMNS`.
Row = tuple[int, int, float, float, float, float, float, float, int, str, Quality, int]
COLUMNS = (
    '"end", "open", "high", "low", "close", "volume", "vwap", "trades", '
    '"source", "quality", "as_of"'
)

#: Moments that InfluxDB can store: about the years 1678 to 2261.
_LEAST_NS = -(2**63) + 2
_MOST_NS = 2**63 - 2


def line(stored: StoredCandle) -> str:
    """Floats as `repr` writes them, which is exact; ints with the `i` that makes them ints."""
    candle = stored.candle
    return (
        f"{MEASUREMENT},symbol={_tag(candle.symbol)},timeframe={candle.timeframe} "
        f"open={candle.open!r},high={candle.high!r},low={candle.low!r},close={candle.close!r},"
        f"volume={candle.volume!r},vwap={candle.vwap!r},trades={candle.trades}i,"
        f'end={candle.end_ns}i,source="{_text(stored.source)}",quality="{stored.quality}",'
        f"as_of={stored.as_of_ns}i {candle.start_ns}"
    )


def stored_of(row: Row, symbol: Symbol, timeframe: Timeframe) -> StoredCandle:
    return StoredCandle(Candle(symbol, timeframe, *row[:9]), *row[9:])


def select(
    what: str,
    symbol: str,
    timeframe: str,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
    *,
    newest: bool = False,
) -> str:
    """Candles that start in the range (its end excluded)."""
    conditions = [f"\"symbol\" = '{_quoted(symbol)}'", f"\"timeframe\" = '{_quoted(timeframe)}'"]
    if start_ns is not None:
        conditions.append(f"time >= {_within(start_ns)}")
    if end_ns is not None:
        conditions.append(f"time < {_within(end_ns)}")
    order = "DESC" if newest else "ASC"
    return (
        f'SELECT {what} FROM "{MEASUREMENT}" WHERE {" AND ".join(conditions)} '  # noqa: S608
        f"ORDER BY time {order} LIMIT {limit}"
    )


def grouped(what: str, symbol: str | None) -> str:
    """One aggregate of each symbol and timeframe."""
    condition = "" if symbol is None else f"WHERE \"symbol\" = '{_quoted(symbol)}' "
    return f'SELECT {what} FROM "{MEASUREMENT}" {condition}GROUP BY "symbol", "timeframe"'  # noqa: S608


def _within(at_ns: int) -> int:
    return max(_LEAST_NS, min(at_ns, _MOST_NS))


def _tag(text: str) -> str:
    for special in ",= ":
        text = text.replace(special, "\\" + special)
    return text


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
