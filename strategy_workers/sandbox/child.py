"""The process that a strategy runs in. Started by `process.py`, never imported by the platform.

    python -I child.py ROOT SOCKET MEMORY_MIB CONFINED

It reads one request after another from the socket, and answers each. Before it takes the first it
gives up all that a strategy doesn't need (`confinement.py`).
"""

import importlib
import os
import sys

#: What strategies import, for machines on which no file can be opened once confined.
_USUAL_MODULES = (
    "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "json", "linecache", "math", "operator",
    "random", "statistics", "string", "traceback", "typing", "zoneinfo",
)  # fmt: skip


def main() -> None:
    root, connection, memory_mib, confined = sys.argv[1], *map(int, sys.argv[2:5])
    sys.path.insert(0, root)
    # All that is ours is imported while files can be read.
    from strategy_workers.sandbox.confinement import CantConfineError, confine, limit_resources
    from strategy_workers.sandbox.frames import Failed, packed
    from strategy_workers.sandbox.stage import Stage

    for name in _USUAL_MODULES:
        importlib.import_module(name)
    try:
        if confined:
            confine(readable_places(root), memory_mib)
        else:
            limit_resources(memory_mib)
    except (CantConfineError, OSError) as error:
        send(connection, packed(Failed(f"The strategy can't be confined here: {error}.")))
        return
    stage = Stage()
    while (body := receive(connection)) is not None:
        send(connection, stage.answer(body))


def readable_places(root: str) -> list[str]:
    """Python, its libraries and ours: code that anybody may read."""
    return [
        os.path.join(root, "shared"),
        os.path.join(root, "strategy_workers"),
        *(os.path.join(prefix, "lib") for prefix in {sys.prefix, sys.base_prefix}),
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache",
        "/dev/null", "/dev/urandom",
    ]  # fmt: skip


def receive(connection: int) -> bytes | None:
    """None when nobody is there any more."""
    head = read(connection, 4)
    return None if head is None else read(connection, int.from_bytes(head, "little"))


def read(connection: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(connection, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(connection: int, frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(connection, rest) :]


if __name__ == "__main__":
    main()
