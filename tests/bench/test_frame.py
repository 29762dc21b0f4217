import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from bench.entry import Contender, Entry, find_entries
from bench.report import save, table, write_docs
from bench.run import BenchError, Outcome, run_entry

_NOW = datetime(2024, 3, 4, 12, 30, tzinfo=UTC)


def entry(*tasks: str, name: str = "counting", timeout_s: float = 60.0) -> Entry:
    return Entry(
        name=name,
        title="Counting",
        unit="numbers",
        sizes=(10, 20),
        quick_sizes=(1, 2),
        contenders=tuple(Contender(task, "tests.bench.program", (task,)) for task in tasks),
        target="at least as fast",
        notes="All of it is timed.",
        timeout_s=timeout_s,
    )


def outcome(*tasks: str, name: str = "counting") -> Outcome:
    return run_entry(entry(*tasks, name=name), (10, 20), 2, lambda _: None)


def test_every_contender_is_measured_at_every_size() -> None:
    result = outcome("fast", "slow", "count")
    assert [(one.contender, one.size, one.runs) for one in result.measured] == [
        ("fast", 10, 2),
        ("slow", 10, 2),
        ("count", 10, 2),
        ("fast", 20, 2),
        ("slow", 20, 2),
        ("count", 20, 2),
    ]
    fast, slow, counted, *_ = result.measured
    assert (fast.rate, slow.rate) == (20.0, 5.0)
    assert (result.ratio(fast), result.ratio(slow)) == (1.0, 4.0)
    assert result.ratio_per_core(slow) == 8.0
    assert slow.figures == {"latency_ms": 7.0}
    assert counted.rate > 0
    assert counted.peak_memory_mb > 1


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        ("fail", "exited with 1 and 0 results\nno such market"),
        ("silent", "exited with 0 and 0 results"),
        ("miscount", "counted is 10 for fast but 9 for miscount: they did different work"),
        ("random", "random did other work each time"),
    ],
)
def test_a_contender_that_does_not_do_the_same_work_voids_the_entry(
    task: str, complaint: str
) -> None:
    with pytest.raises(BenchError, match=complaint):
        outcome("fast", task)


def test_a_contender_that_hangs_is_ended() -> None:
    with pytest.raises(BenchError, match="hang took more than 1 s"):
        run_entry(entry("hang", timeout_s=1.0), (10, 20), 1, lambda _: None)


def test_an_entry_needs_two_sizes_and_contenders_of_different_names() -> None:
    with pytest.raises(ValueError, match="contenders must have names of their own"):
        entry("fast", "fast")
    with pytest.raises(ValueError, match="sizes must be two or more"):
        Entry("a", "A", "b", (1,), (), "", "", quick_sizes=(1, 2))


def test_a_day_has_one_file_with_the_latest_figures_of_each_entry(tmp_path: Path) -> None:
    save(tmp_path, _NOW, "a machine", [outcome("fast", name="first")])
    save(tmp_path, _NOW, "a machine", [outcome("slow", name="second")])
    path = save(tmp_path, _NOW, "another machine", [outcome("slow", name="first")])
    day = json.loads(path.read_text())
    assert path.name == "2024-03-04.json"
    assert [path.name for path in tmp_path.iterdir()] == ["2024-03-04.json"]
    assert (day["first"]["machine"], day["second"]["machine"]) == ("another machine", "a machine")
    assert day["first"]["measured"][0]["rate"] == 5.0


def test_the_documentation_keeps_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n")
    result = outcome("fast", "slow")
    write_docs(path, _NOW, "a machine", "python -m bench", [result])
    write_docs(path, _NOW, "a machine", "python -m bench --only counting", [result])
    text = path.read_text()
    assert text.startswith("# Benchmarks\n\n## 2024-03-04 12:30 UTC\n")
    assert text.count("### counting: Counting") == 2
    assert "`python -m bench --only counting` on a machine." in text
    assert "| slow | 10 | 5 (5..5) | 400,000.000 |" in text
    assert "| 4.00x | 8.00x | 7 |" in text


def test_the_table_shows_ratios_and_further_figures() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table(outcome("fast", "slow")))
    text = console.export_text()
    assert "latency_ms" in text
    assert "4.00x" in text


def test_the_candles_of_ours_and_of_plain_loops_are_the_same_work() -> None:
    candles = find_entries()["candles"]
    ours_and_loops = tuple(each for each in candles.contenders if each.peer is None)
    assert len(ours_and_loops) == 4
    small = Entry(
        **{**vars(candles), "contenders": ours_and_loops, "sizes": (3_000, 6_000)}  # type: ignore[arg-type]
    )
    result = run_entry(small, small.sizes, 1, lambda _: None)
    assert {frozenset(one.checks) for one in result.measured} == {frozenset({"minutes", "volume"})}
