"""Our builder, fed the way the market data engine feeds it."""

import sys

from bench.data import SYMBOLS, prints
from bench.measuring import measure
from shared.candles import CandleBuilder, SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.models.identifiers import TIMEFRAMES, Symbol
from shared.models.market import Candle

_SLICE = 1_000
_WEEK_NS = 7 * 24 * 60 * MINUTE_NS

Slice = tuple[int, list[int], list[int], list[float], list[float]]


def _slices(count: int) -> list[Slice]:
    """Time mark and columns. What a feed has read from its file or socket: not timed."""
    data = prints(count)
    rows = zip(data.symbol_index, data.at_ns, data.price, data.size, strict=True)
    slices: list[Slice] = []
    batch: list[tuple[int, int, float, float]] = []
    boundary = 0
    for row in rows:
        if row[1] >= boundary or len(batch) == _SLICE:
            if batch:
                slices.append((min(boundary, row[1]), *_columns(batch)))
            batch = []
            boundary = row[1] - row[1] % MINUTE_NS + MINUTE_NS
        batch.append(row)
    slices.append((boundary + _WEEK_NS, *_columns(batch)))
    return slices


def _columns(
    batch: list[tuple[int, int, float, float]],
) -> tuple[list[int], list[int], list[float], list[float]]:
    index, at_ns, price, size = (list(column) for column in zip(*batch, strict=True))
    return index, at_ns, price, size


def by_symbol(count: int) -> None:
    """One symbol after the other, as from files that hold one each: no splitting."""
    data = prints(count)
    columns: list[tuple[list[int], list[float], list[float]]]
    columns = [([], [], []) for _ in range(SYMBOLS)]
    rows = zip(data.symbol_index, data.at_ns, data.price, data.size, strict=True)
    for symbol, at_ns, price, size in rows:
        columns[symbol][0].append(at_ns)
        columns[symbol][1].append(price)
        columns[symbol][2].append(size)
    builders = [
        CandleBuilder(Symbol(f"S{n:02d}"), SessionCalendar.continuous()) for n in range(SYMBOLS)
    ]
    done: list[Candle] = []

    def work() -> None:
        for builder, (times, prices, sizes) in zip(builders, columns, strict=True):
            for begin in range(0, len(times), _SLICE):
                part = slice(begin, begin + _SLICE)
                done.extend(builder.add_trades(times[part], prices[part], sizes[part]))
                for timeframe in TIMEFRAMES:
                    builder.forming(timeframe)
            done.extend(builder.advance(data.at_ns[-1] + _WEEK_NS))

    measure(work, count, lambda: _facts(done, count))


def mixed(count: int) -> None:
    slices = _slices(count)
    calendar = SessionCalendar.continuous()
    builders = [CandleBuilder(Symbol(f"S{n:02d}"), calendar) for n in range(SYMBOLS)]
    done: list[Candle] = []

    def work() -> None:
        for number, (mark_ns, symbol_index, at_ns, price, size) in enumerate(slices):
            split: list[tuple[list[int], list[float], list[float]]]
            split = [([], [], []) for _ in range(SYMBOLS)]
            for symbol, at, value, amount in zip(symbol_index, at_ns, price, size, strict=True):
                times, prices, sizes = split[symbol]
                times.append(at)
                prices.append(value)
                sizes.append(amount)
            for builder, columns in zip(builders, split, strict=True):
                done.extend(builder.add_trades(*columns))
            looked_at = builders[number % SYMBOLS]
            for timeframe in TIMEFRAMES:
                looked_at.forming(timeframe)
            for builder in builders:
                done.extend(builder.advance(mark_ns))

    measure(work, count, lambda: _facts(done, count))


def _facts(done: list[Candle], count: int) -> dict[str, int | float]:
    for timeframe in TIMEFRAMES:
        assert sum(c.trades for c in done if c.timeframe == timeframe) == count
    minutes = [candle for candle in done if candle.timeframe == "1m"]
    return {"minutes": len(minutes), "volume": sum(candle.volume for candle in minutes)}


if __name__ == "__main__":
    {"mixed": mixed, "by-symbol": by_symbol}[sys.argv[2]](int(sys.argv[1]))
