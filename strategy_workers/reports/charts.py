"""Charts as SVG, drawn by hand. Colours come from the page's style sheet (`page.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 76, 16, 12, 28
_TICKS = 5
_DAY_S = 86_400


@dataclass(frozen=True)
class Line:
    name: str
    #: Times in microseconds since the epoch, ascending; numbers in `numbered` charts.
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True)
class _Frame:
    """From values to pixels."""

    left: float
    right: float
    low: float
    high: float
    height: int

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)


def time_chart(
    lines: Sequence[Line], *, height: int = 300, percent: bool = False, filled: bool = False
) -> str:
    """`filled`: the area between a line and zero."""
    return _line_chart(lines, height, percent=percent, filled=filled, timed=True, seams=())


def numbered_chart(lines: Sequence[Line], *, height: int = 260) -> str:
    """Over whole numbers, such as those of trials."""
    return _line_chart(lines, height, percent=False, filled=False, timed=False, seams=())


def seamed_chart(line: Line, seams: Sequence[float], *, height: int = 300) -> str:
    """Over time, with an upright line at each seam."""
    return _line_chart([line], height, percent=False, filled=False, timed=True, seams=seams)


def _line_chart(
    lines: Sequence[Line],
    height: int,
    *,
    percent: bool,
    filled: bool,
    timed: bool,
    seams: Sequence[float],
) -> str:
    if not any(line.xs for line in lines):
        return "<p>There is nothing to draw.</p>"
    xs = [x for line in lines for x in line.xs]
    ys = [y for line in lines for y in line.ys] + ([0.0] if filled else [])
    frame = _frame(min(xs), max(xs), ys, height)
    parts = [*_y_axis(frame, percent=percent), *_x_axis(frame, timed=timed)]
    for seam in seams:
        x = frame.x(seam)
        parts.append(
            f'<line class="seam" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        )
    for place, line in enumerate(lines):
        points = [
            f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in zip(line.xs, line.ys, strict=True)
        ]
        if filled:
            zero = frame.y(0.0)
            ends = f"{frame.x(line.xs[-1]):.1f},{zero:.1f} {frame.x(line.xs[0]):.1f},{zero:.1f}"
            parts.append(f'<polygon class="area c{place}" points="{" ".join(points)} {ends}"/>')
        parts.append(f'<polyline class="line c{place}" points="{" ".join(points)}"/>')
        if len(lines) > 1:
            parts.append(
                f'<text class="key c{place}" x="{_LEFT + 8 + 190 * place}" y="{_TOP + 12}">'
                f"{escape(line.name)}</text>"
            )
    return _svg(parts, height)


def bar_chart(
    bars: Sequence[tuple[str, float]], *, height: int = 220, percent: bool = False
) -> str:
    """Upright bars from zero, losses in their own colour."""
    if not bars:
        return "<p>There is nothing to draw.</p>"
    frame = _frame(0, len(bars), [0.0, *(value for _, value in bars)], height)
    parts = _y_axis(frame, percent=percent)
    every = max(1, len(bars) // 12)
    for place, (name, value) in enumerate(bars):
        left, right = frame.x(place + 0.1), frame.x(place + 0.9)
        top, bottom = sorted((frame.y(value), frame.y(0.0)))
        sign = "loss" if value < 0 else "gain"
        parts.append(
            f'<rect class="{sign}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}"'
            f' height="{bottom - top:.1f}"><title>{escape(name)}: {_number(value, percent)}'
            "</title></rect>"
        )
        if place % every == 0:
            parts.append(
                f'<text class="tick" text-anchor="middle" x="{(left + right) / 2:.1f}"'
                f' y="{height - 8}">{escape(name)}</text>'
            )
    return _svg(parts, height)


def scatter_chart(points: Sequence[tuple[float, float]], *, height: int = 240) -> str:
    """One dot for each (x, y)."""
    if not points:
        return "<p>There is nothing to draw.</p>"
    xs, ys = [x for x, _ in points], [y for _, y in points]
    frame = _frame(min(xs), max(xs), ys, height)
    parts = [*_y_axis(frame, percent=False), *_x_axis(frame, timed=False)]
    parts += [
        f'<circle class="dot" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
        for x, y in points
    ]
    return _svg(parts, height)


def utc_us(text: str) -> float:
    """Of a time as results have it, what charts take."""
    return datetime.fromisoformat(text).timestamp() * 1e6


def histogram(values: Sequence[float], *, parts: int = 24) -> list[tuple[str, float]]:
    """How many values lie in each of equal parts, by the part's middle; zero is a border."""
    if not values:
        return []
    low, high = min(values), max(values)
    width = (high - low) / parts or 1.0
    counts: dict[int, int] = {}
    for value in values:
        place = math.floor(value / width)
        counts[place] = counts.get(place, 0) + 1
    return [
        (f"{(place + 0.5) * width:.4g}", float(counts.get(place, 0)))
        for place in range(min(counts), max(counts) + 1)
    ]


def _frame(left: float, right: float, ys: Sequence[float], height: int) -> _Frame:
    low, high = min(ys), max(ys)
    margin = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    if low != 0:
        low -= margin
    if high != 0 or high == low:
        high += margin
    return _Frame(left, right if right > left else left + 1, low, high, height)


def _y_axis(frame: _Frame, *, percent: bool) -> list[str]:
    parts = []
    for value in _nice(frame.low, frame.high):
        y = frame.y(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{y + 4:.1f}">'
            f"{_number(value, percent)}</text>"
        )
    return parts


def _x_axis(frame: _Frame, *, timed: bool) -> list[str]:
    span = frame.right - frame.left
    if timed:
        values = [frame.left + span * n / _TICKS for n in range(_TICKS + 1)]
    else:
        values = _nice(frame.left, frame.right)
    parts = []
    for n, value in enumerate(values):
        text = _time(value, span) if timed else _number(value, False)
        anchor = "start" if n == 0 else "end" if n == len(values) - 1 else "middle"
        parts.append(
            f'<text class="tick" text-anchor="{anchor}" x="{frame.x(value):.1f}"'
            f' y="{frame.height - 8}">{text}</text>'
        )
    return parts


def _nice(low: float, high: float) -> list[float]:
    """Round numbers within the range, about `_TICKS` of them."""
    rough = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _number(value: float, percent: bool) -> str:
    return f"{value * 100:,.6g}%" if percent else f"{value:,.10g}"


def _time(at_us: float, span_us: float) -> str:
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    return at.strftime("%Y-%m-%d" if span_us > 3 * _DAY_S * 1e6 else "%m-%d %H:%M")


def _svg(parts: Sequence[str], height: int) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(parts)}</svg>'
