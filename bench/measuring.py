"""The measured side: one piece of work, timed, in a process of its own.

Runs in peers' environments too, so it needs nothing but the standard library.
"""

import gc
import json
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path

MARKER = "RESULT "


def measure(
    work: Callable[[], None],
    units: int,
    checks: Callable[[], Mapping[str, int | float | str]] = dict,
) -> None:
    """Time one call of `work` and report it. `checks` is called later, untimed: see `report`."""
    gc.collect()
    cpu_before = time.process_time()
    before = time.perf_counter()
    work()
    wall_s = time.perf_counter() - before
    cpu_s = time.process_time() - cpu_before
    report(units, wall_s, cpu_s, checks())


def report(
    units: int,
    wall_s: float,
    cpu_s: float,
    checks: Mapping[str, int | float | str] | None = None,
    figures: Mapping[str, float] | None = None,
) -> None:
    """Print the result for the frame.

    `checks` are facts about what was done: contenders that state the same one must agree, or the
    comparison is void. `figures` are other measurements, shown with their medians.
    """
    result = {
        "units": units,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "peak_memory_mb": _peak_memory_mb(),
        "checks": dict(checks or {}),
        "figures": dict(figures or {}),
    }
    print(MARKER + json.dumps(result), flush=True)


def _peak_memory_mb() -> float:
    # Of this program. ru_maxrss would be that of the process it was started from, if larger.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
