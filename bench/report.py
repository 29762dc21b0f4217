"""Outcomes as a table, as JSON, and as a section of the documentation."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from bench.run import Measured, Outcome


def table(outcome: Outcome) -> Table:
    entry = outcome.entry
    result = Table(title=f"{entry.name}: {entry.title}")
    for number, heading in enumerate(_headings(outcome)):
        result.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    previous = outcome.measured[0].size
    for one in outcome.measured:
        if one.size != previous:
            result.add_section()
            previous = one.size
        result.add_row(*_cells(outcome, one))
    return result


def save(folder: Path, now: datetime, machine: str, outcomes: Sequence[Outcome]) -> Path:
    """Into the day's file. An entry measured again that day replaces its figures there."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{now:%Y-%m-%d}.json"
    day = json.loads(path.read_text()) if path.exists() else {}
    for outcome in outcomes:
        day[outcome.entry.name] = {
            "at": now.isoformat(timespec="seconds"),
            "machine": machine,
            **outcome.as_json(),
        }
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(day, indent=2) + "\n")
    unfinished.rename(path)
    return path


def write_docs(
    path: Path, now: datetime, machine: str, command: str, outcomes: Sequence[Outcome]
) -> None:
    """Append a section a day and command; what was written before stays."""
    lines = ["", f"## {now:%Y-%m-%d %H:%M} UTC", "", f"`{command}` on {machine}."]
    for outcome in outcomes:
        lines += ["", *_markdown(outcome)]
    with path.open("a") as file:
        file.write("\n".join(lines) + "\n")


def _markdown(outcome: Outcome) -> Iterator[str]:
    entry = outcome.entry
    runs = outcome.measured[0].runs
    yield f"### {entry.name}: {entry.title}"
    yield ""
    yield f"Target: {entry.target}. Medians of {runs} fresh processes and their range."
    yield ""
    headings = _headings(outcome)
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for one in outcome.measured:
        yield f"| {' | '.join(_cells(outcome, one))} |"
    yield ""
    yield entry.notes


def _figure_names(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(name for one in outcome.measured for name in one.figures))


def _headings(outcome: Outcome) -> list[str]:
    unit = outcome.entry.unit
    return [
        "contender",
        unit,
        f"{unit}/s",
        f"CPU µs / {unit.removesuffix('s')}",
        "peak MB",
        "ours is",
        "per core",
        *_figure_names(outcome),
    ]


def _cells(outcome: Outcome, one: Measured) -> list[str]:
    return [
        one.contender,
        f"{one.size:,}",
        _rates(one),
        f"{one.cpu_us:,.3f}",
        f"{one.peak_memory_mb:,.0f}",
        f"{outcome.ratio(one):.2f}x",
        f"{outcome.ratio_per_core(one):.2f}x",
        *(
            f"{one.figures[name]:,.4g}" if name in one.figures else ""
            for name in _figure_names(outcome)
        ),
    ]


def _rates(one: Measured) -> str:
    """Median and range, in one scale: `2.82 M (1.95..3.17)`."""
    rates = (one.rate, one.rate_min, one.rate_max)
    for scale, letter in ((1e6, " M"), (1e3, " k")):
        if one.rate >= scale:
            rate, least, most = (f"{rate / scale:.2f}" for rate in rates)
            return f"{rate}{letter} ({least}..{most})"
    rate, least, most = (f"{rate:.4g}" for rate in rates)
    return f"{rate} ({least}..{most})"
