"""Charts are well-formed SVG that show what they were given, whatever that is."""

import xml.etree.ElementTree as ET

import pytest

from strategy_workers.reports.charts import (
    Line,
    bar_chart,
    histogram,
    numbered_chart,
    scatter_chart,
    time_chart,
)
from strategy_workers.reports.page import page, pairs, table

DAY_US = 86_400e6


def test_a_line_goes_from_edge_to_edge_and_up_is_more() -> None:
    drawn = ET.fromstring(time_chart([Line("equity", [0, DAY_US], [100.0, 200.0])]))
    (line,) = drawn.findall("polyline")
    (x0, y0), (x1, y1) = (map(float, each.split(",")) for each in line.get("points", "").split())
    assert x0 == 76
    assert x1 == 944
    assert y0 > y1


@pytest.mark.parametrize("ys", [[5.0], [5.0, 5.0], [0.0, 0.0], [-3.0, 1e12], [1e-9, 2e-9]])
def test_any_range_of_values_can_be_drawn(ys: list[float]) -> None:
    xs = [n * DAY_US for n in range(len(ys))]
    for drawn in (
        time_chart([Line("a", xs, ys), Line("b", xs, ys)], filled=True, percent=True),
        numbered_chart([Line("a", list(range(len(ys))), ys)]),
        scatter_chart(list(zip(xs, ys, strict=True))),
        bar_chart([("a", y) for y in ys]),
    ):
        assert "nan" not in drawn
        assert ET.fromstring(drawn).tag == "svg"


def test_without_values_the_chart_says_so() -> None:
    for drawn in (time_chart([Line("a", [], [])]), bar_chart([]), scatter_chart([])):
        assert "nothing to draw" in drawn


def test_a_histogram_counts_every_value_once_and_keeps_gains_from_losses() -> None:
    bars = histogram([-2.0, -1.0, 1.0, 1.5, 2.0], parts=4)
    assert sum(count for _, count in bars) == 5
    assert sum(count for name, count in bars if float(name) < 0) == 2
    assert histogram([]) == []
    assert histogram([3.0, 3.0]) == [("3.5", 2.0)]


def test_what_comes_from_outside_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    whole = page(evil, [pairs([(evil, evil)]), table((evil,), [(evil,)]), bar_chart([(evil, 1)])])
    assert "<script" not in whole
    assert "&lt;script&gt;" in whole
