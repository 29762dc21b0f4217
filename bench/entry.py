"""What is compared in a benchmark. Entries are found in `bench/entries`; see README.md."""

import importlib
import pkgutil
from dataclasses import dataclass

from bench import entries
from bench.peers import Peer


@dataclass(frozen=True)
class Contender:
    """A program that does the work once: `python -m <module> <size> <arguments>`.

    It reports through `bench.measuring`.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    #: Whose environment it runs in; None for the project's own.
    peer: Peer | None = None


@dataclass(frozen=True)
class Entry:
    name: str
    title: str
    #: What the size counts, such as "trades".
    unit: str
    #: Ascending, two at least: costs must grow no faster than the work.
    sizes: tuple[int, ...]
    #: Ours comes first: the others are compared with it.
    contenders: tuple[Contender, ...]
    target: str
    #: What is and isn't in the measured time, for the reader of the table.
    notes: str
    quick_sizes: tuple[int, ...]
    repeats: int = 5
    timeout_s: float = 600.0

    def __post_init__(self) -> None:
        for sizes in (self.sizes, self.quick_sizes):
            if len(sizes) < 2 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{self.name}: sizes must be two or more, ascending: {sizes}")
        if len({contender.name for contender in self.contenders}) < len(self.contenders):
            raise ValueError(f"{self.name}: contenders must have names of their own")


def find_entries() -> dict[str, Entry]:
    """Each module or package in `bench/entries` that has an `ENTRY`, by the entry's name."""
    found: dict[str, Entry] = {}
    for info in pkgutil.iter_modules(entries.__path__):
        module = importlib.import_module(f"{entries.__name__}.{info.name}")
        entry: Entry = module.ENTRY
        if entry.name in found:
            raise ValueError(f"two entries are named {entry.name}")
        found[entry.name] = entry
    return found
