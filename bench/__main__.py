"""`python -m bench [--only NAME] [--quick] [--repeats N] [--write-docs]`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.entry import Entry, find_entries
from bench.machine import describe_machine
from bench.report import save, table, write_docs
from bench.run import BenchError, run_entry

_ROOT = Path(__file__).parent.parent


def _arguments(entries: dict[str, Entry]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=sorted(entries), help="this entry; may be repeated"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a trial: small sizes, two runs, nothing written"
    )
    parser.add_argument("--repeats", type=int, help="runs of each contender and size")
    parser.add_argument(
        "--write-docs", action="store_true", help="append the tables to docs/benchmarks.md"
    )
    arguments = parser.parse_args()
    if arguments.repeats is not None and arguments.repeats < 1:
        parser.error("--repeats must be 1 or more")
    if arguments.quick and arguments.write_docs:
        parser.error("a quick trial is no figure to write down")
    return arguments


def main() -> int:
    entries = find_entries()
    arguments = _arguments(entries)
    console = Console()
    # The table has its width also where it is written to a file.
    console.width = max(console.width, 120)
    machine = describe_machine()
    console.print(machine)
    outcomes = []
    failed = False
    for name in arguments.only or sorted(entries):
        entry = entries[name]
        repeats = arguments.repeats or (2 if arguments.quick else entry.repeats)
        sizes = entry.quick_sizes if arguments.quick else entry.sizes
        try:
            with console.status(f"{name}: preparing") as status:
                outcome = run_entry(entry, sizes, repeats, status.update)
        except BenchError as error:
            console.print(f"[red]{name}: {error}", markup=True, highlight=False)
            failed = True
            continue
        outcomes.append(outcome)
        console.print(table(outcome))
        console.print(f"Target: {entry.target}.")
    now = datetime.now(UTC)
    if outcomes and not arguments.quick:
        path = save(_ROOT / "bench" / "results", now, machine, outcomes)
        console.print(f"Written to {path.relative_to(_ROOT)}")
    if arguments.write_docs and outcomes:
        command = " ".join(["python -m bench", *sys.argv[1:]])
        write_docs(_ROOT / "docs" / "benchmarks.md", now, machine, command, outcomes)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
