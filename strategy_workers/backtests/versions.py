"""Of which code and data a run was made."""

import hashlib
import inspect
from functools import cache
from pathlib import Path

from strategy_workers.sandbox.strategy import SandboxedStrategy
from strategy_workers.sdk import Strategy


def strategy_version(strategy: type[Strategy]) -> str:
    """SHA-256 of the file that the class is written in, or of all files that were uploaded."""
    if issubclass(strategy, SandboxedStrategy):
        return strategy.source_digest()
    source = inspect.getsourcefile(strategy)
    assert source is not None, "a strategy is written in a file"
    return fingerprint(Path(source))


@cache
def code_version() -> str:
    """SHA-256 over the sources that a backtest is made of, by path."""
    root = Path(__file__).parents[2]
    sources = sorted(
        path.relative_to(root).as_posix()
        for package in ("shared", "strategy_workers")
        for path in (root / package).rglob("*.py")
    )
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source} {fingerprint(root / source)}\n".encode())
    return digest.hexdigest()


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
