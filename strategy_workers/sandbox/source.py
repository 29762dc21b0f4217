"""A strategy's source, from bytes in memory: nothing of it is ever a file here."""

import ast
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from strategy_workers.sdk import Strategy

_ENTRY = "strategy"
FOLDER = "<uploaded>"


class BadSourceError(Exception):
    """The author's fault, in a sentence."""


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, path: str, body: bytes) -> None:
        self._path, self._body = path, body

    def get_filename(self, _fullname: str) -> str:
        return f"{FOLDER}/{self._path}"

    def get_data(self, _path: str | bytes) -> bytes:
        return self._body


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._modules: dict[str, tuple[str, bytes, bool]] = {}
        for path, body in files.items():
            name = path.removesuffix(".py").replace("/", ".")
            if name.endswith(".__init__"):
                self._modules[name.removesuffix(".__init__")] = path, body, True
            else:
                self._modules[name] = path, body, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        found = self._modules.get(fullname)
        if found is None:
            return None
        place, body, is_package = found
        loader = _Loader(place, body)
        spec = importlib.machinery.ModuleSpec(
            fullname, loader, origin=loader.get_filename(fullname), is_package=is_package
        )
        spec.has_location = True
        return spec


def entry_of(files: Mapping[str, bytes]) -> str:
    """The module with the strategy: `strategy.py`, or the only file. Raises BadSourceError."""
    names = [path for path in files if path.endswith(".py")]
    if f"{_ENTRY}.py" in names:
        return _ENTRY
    if len(names) == 1 and "/" not in names[0]:
        return names[0].removesuffix(".py")
    raise BadSourceError("Name the file that holds the strategy strategy.py.")


def check_syntax(files: Mapping[str, bytes]) -> None:
    """Without running anything. Raises BadSourceError."""
    for path, body in files.items():
        try:
            ast.parse(body, path)
        except (SyntaxError, ValueError) as error:
            raise BadSourceError(f"{path} is not Python: {error}") from None


def load(files: Mapping[str, bytes]) -> type[Strategy]:
    """Import it, and find its one strategy. Raises BadSourceError, and whatever the code raises."""
    entry = entry_of(files)
    check_syntax(files)
    # Behind the others: a file of the author's doesn't stand in for a library's.
    sys.meta_path.append(_Finder(files))
    if entry in sys.modules or entry in sys.stdlib_module_names:
        raise BadSourceError(f"{entry}.py has the name of a library: call it strategy.py.")
    module = importlib.import_module(entry)
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Strategy) and one.__module__ == entry
    ]
    if len(found) != 1:
        names = ", ".join(one.__name__ for one in found) or "none"
        raise BadSourceError(
            f"{entry}.py must define one class that extends Strategy, not {names}."
        )
    return found[0]
