"""What one would write first: a dictionary of open candles, every timeframe at every print."""

import sys

from bench.data import prints
from bench.measuring import measure

_MINUTES = {4: (1, 5, 15, 60), 9: (1, 3, 5, 15, 30, 60, 240, 1440, 10080)}

#: Start, open, high, low, close, volume.
Bar = list[float]


def main(count: int, timeframes: int) -> None:
    data = prints(count)
    columns = [column.tolist() for column in (data.symbol_index, data.at_ns, data.price, data.size)]
    books: list[tuple[int, dict[int, Bar], list[tuple[int, Bar]]]] = [
        (minutes * 60_000_000_000, {}, []) for minutes in _MINUTES[timeframes]
    ]

    def work() -> None:
        for symbol, at_ns, price, size in zip(*columns, strict=True):
            for length_ns, forming, done in books:
                start_ns = at_ns - at_ns % length_ns
                bar = forming.get(symbol)
                if bar is None or bar[0] != start_ns:
                    if bar is not None:
                        done.append((symbol, bar))
                    forming[symbol] = [start_ns, price, price, price, price, size]
                    continue
                if price > bar[2]:
                    bar[2] = price
                elif price < bar[3]:
                    bar[3] = price
                bar[4] = price
                bar[5] += size
        for _, forming, done in books:
            done.extend(forming.items())

    def checks() -> dict[str, int | float]:
        minutes = books[0][2]
        return {"minutes": len(minutes), "volume": sum(bar[5] for _, bar in minutes)}

    measure(work, count, checks)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 9)
