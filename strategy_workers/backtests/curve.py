"""The equity curve of a run: cash plus positions at each candle's close.

A run may have a million closes. Equity at all of them is worked out in floats, to find the
points that matter to drawdown, to daily returns and to the eye; those are then worked out
exactly. A fill at the very end of a candle counts as one of the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import polars as pl

from shared.metrics.executions import Fill, Point
from shared.trading.amounts import ZERO, exactly, measured
from strategy_workers.backtests.outcome import Closes

_DAY_NS = 86_400_000_000_000
_US_NS = 1000


@dataclass(frozen=True)
class Curve:
    #: What drawdown and daily returns of all points come from: both are the same for these.
    telling: list[Point]
    #: At most so many as asked for, for the eye.
    shown: list[Point]
    #: Share of the time from the first point to the last with a position.
    exposure: float


class EquityCurve:
    def __init__(
        self, capital: Decimal, fills: Sequence[Fill], closes: Mapping[str, Closes], begin_ns: int
    ) -> None:
        self._capital = capital
        self._begin_ns = begin_ns
        self._symbols = list(closes)
        self._books = _books_after(capital, fills, self._symbols)
        #: When each fill was; from which on its books hold.
        self._fill_ns = [fill.at_us * _US_NS for fill in fills]
        self._frame = _closes_frame(closes, begin_ns)
        self._equities = self._in_floats()

    def _in_floats(self) -> pl.Series:
        """Equity at each moment of the frame."""
        frame = self._frame
        #: Books before each moment: fills strictly earlier than it.
        steps = pl.DataFrame(
            {
                "from_ns": [self._begin_ns - 1, *self._fill_ns],
                "cash": [float(cash) for cash, _ in self._books],
                **{
                    f"qty{n}": [float(held[n]) for _, held in self._books]
                    for n in range(len(self._symbols))
                },
            },
            schema_overrides={"from_ns": pl.Int64},
        ).with_columns(pl.col("from_ns") + 1)
        joined = frame.join_asof(steps, left_on="at_ns", right_on="from_ns", check_sortedness=False)
        value = pl.col("cash")
        for n in range(len(self._symbols)):
            held = pl.when(pl.col(f"qty{n}") != 0).then(pl.col(f"qty{n}") * pl.col(f"close{n}"))
            value = value + held.otherwise(0.0)
        return joined.select(value.alias("equity"))["equity"]

    def curve(self, max_points: int) -> Curve:
        """`max_points` must be four or more."""
        rows = self._frame.height
        telling = self._telling_rows()
        shown = range(rows) if rows + 1 <= max_points else self._shown_rows(max_points - 1)
        start = Point(self._begin_ns // _US_NS, self._capital)
        return Curve(
            telling=[start, *self._exact(telling)],
            shown=[start, *self._exact(shown)],
            exposure=self._exposure(),
        )

    def _telling_rows(self) -> list[int]:
        frame = pl.DataFrame(
            {"at_ns": self._frame["at_ns"], "equity": self._equities}
        ).with_row_index()
        capital = float(self._capital)
        peak = pl.max_horizontal(pl.col("equity").cum_max(), pl.lit(capital))
        frame = frame.with_columns(
            top=pl.col("equity") >= peak, day=pl.col("at_ns") // _DAY_NS
        ).with_columns(stretch=pl.col("top").rle_id())
        ends = frame.group_by("stretch", maintain_order=True).agg(
            first=pl.col("index").first(),
            last=pl.col("index").last(),
            lowest=pl.col("index").get(pl.col("equity").arg_min()),
        )
        days = frame.group_by("day", maintain_order=True).agg(pl.col("index").last())
        rows = {*ends["first"], *ends["last"], *ends["lowest"], *days["index"]}
        return sorted(rows)

    def _shown_rows(self, most: int) -> list[int]:
        """The first, the last, and of each of equal parts the lowest and the highest."""
        frame = pl.DataFrame({"equity": self._equities}).with_row_index()
        parts = max(1, (most - 2) // 2)
        grouped = (
            frame.with_columns(part=pl.col("index").cast(pl.Int64) * parts // frame.height)
            .group_by("part", maintain_order=True)
            .agg(
                low=pl.col("index").get(pl.col("equity").arg_min()),
                high=pl.col("index").get(pl.col("equity").arg_max()),
            )
        )
        return sorted({0, frame.height - 1, *grouped["low"], *grouped["high"]})

    @exactly
    def _exact(self, rows: Sequence[int]) -> list[Point]:
        points = []
        picked = self._frame[rows] if not isinstance(rows, range) else self._frame
        columns = [picked[f"close{n}"].to_list() for n in range(len(self._symbols))]
        for place, at_ns in enumerate(picked["at_ns"].to_list()):
            cash, held = self._books[bisect_left(self._fill_ns, at_ns)]
            equity = cash
            for n, qty in enumerate(held):
                if qty:
                    equity += qty * measured(columns[n][place])
            points.append(Point(at_ns // _US_NS, equity))
        return points

    def _exposure(self) -> float:
        last_ns = int(self._frame["at_ns"][-1])
        whole_ns = last_ns - self._begin_ns
        if whole_ns <= 0:
            return 0.0
        times = [self._begin_ns, *self._fill_ns, last_ns]
        held_ns = sum(
            after - before
            for (before, after), (_, held) in zip(pairwise(times), self._books, strict=True)
            if any(held)
        )
        return held_ns / whole_ns


def _books_after(
    capital: Decimal, fills: Sequence[Fill], symbols: Sequence[str]
) -> list[tuple[Decimal, tuple[Decimal, ...]]]:
    """Cash and quantities: at the begin, and after each fill."""
    place = {symbol: n for n, symbol in enumerate(symbols)}
    cash, held = capital, [ZERO] * len(symbols)
    books = [(cash, tuple(held))]
    for fill in fills:
        cash -= fill.qty * fill.price + fill.fee
        held[place[fill.symbol]] += fill.qty
        books.append((cash, tuple(held)))
    return books


def _closes_frame(closes: Mapping[str, Closes], begin_ns: int) -> pl.DataFrame:
    """`at_ns`, and each symbol's last close there; the first one before it had any."""
    frames = [
        pl.DataFrame(
            {"at_ns": one.end_ns, f"close{n}": one.close}, schema_overrides={"at_ns": pl.Int64}
        )
        for n, one in enumerate(closes.values())
    ]
    whole = frames[0]
    if len(frames) > 1:
        times = pl.concat([frame.select("at_ns") for frame in frames]).unique().sort("at_ns")
        whole = times
        for frame in frames:
            whole = whole.join_asof(frame, on="at_ns", check_sortedness=False)
    assert begin_ns <= (whole["at_ns"][0] if whole.height else begin_ns)
    return whole
