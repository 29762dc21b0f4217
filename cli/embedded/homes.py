"""Where Postgres can live. Started by root it runs as `nobody`, who can't enter private folders.

The data folder is the place when `nobody` can reach it. Otherwise (`/root` is private on most
machines) the data goes below `/var/lib/trading-platform`; so do Postgres' programs, copied,
when the Python environment itself is out of reach.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.servers import ServerStartError, postgres_programs

FALLBACK_ROOT = Path("/var/lib/trading-platform")


@dataclass(frozen=True)
class PostgresHome:
    data: Path
    #: None: as installed.
    programs: Path | None
    #: Why it isn't in the data folder; None when it is.
    reason: str | None


def open_to_all(folder: Path) -> bool:
    """Whether every user may pass through `folder` and all folders above it."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.stat().st_mode & 0o001:
            return False
    return True


def postgres_home(data_folder: Path, fallback: Path = FALLBACK_ROOT) -> PostgresHome:
    """The same answer every time, so that a later start finds the data again."""
    inside = data_folder / "pg"
    if os.geteuid() != 0:
        return PostgresHome(inside, None, None)
    try:
        programs = _reachable_programs(fallback)
        if open_to_all(data_folder):
            return PostgresHome(inside, programs, None)
        name = hashlib.sha256(bytes(data_folder)).hexdigest()[:16]
        outside = fallback / name / "pg"
        outside.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerStartError(
            f"Postgres runs as nobody when started by root, and can't reach {data_folder}; "
            f"{fallback} can't be used instead ({error.strerror}): "
            "choose an open folder with --data-dir"
        ) from error
    reason = f"{data_folder} is closed to nobody, the user that Postgres runs as"
    return PostgresHome(outside, programs, reason)


def remove_postgres_home(home: PostgresHome) -> None:
    shutil.rmtree(home.data, ignore_errors=True)
    if home.reason is not None:
        shutil.rmtree(home.data.parent, ignore_errors=True)


def _reachable_programs(fallback: Path) -> Path | None:
    installed = postgres_programs().resolve()
    if open_to_all(installed / "bin"):
        return None
    version = installed.parent.stat().st_mtime_ns
    copy = fallback / f"postgres-{version}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        fallback.mkdir(parents=True, exist_ok=True)
        shutil.copytree(installed, unfinished, symlinks=True)
        try:
            unfinished.rename(copy)
        except OSError:  # another starter was faster
            shutil.rmtree(unfinished, ignore_errors=True)
    return copy
