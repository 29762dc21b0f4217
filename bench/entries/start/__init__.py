"""P9: from nothing running to all six services ready, and the memory of all at rest."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="start",
    title="Start of the whole platform",
    unit="starts",
    sizes=(1, 3),
    quick_sizes=(1, 2),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="ready within 6 s, less than 700 MB at rest",
    notes=(
        "`tradectl up --detach` on data that exists: Postgres, Valkey and the six services, until"
        " all say that they are ready, one start after the other; the stops between aren't timed."
        " `ready_s` is one start. `idle_mb` is what all processes hold together ten seconds later"
        " (proportional set size), `idle_cpu_percent` what they use of one core meanwhile."
    ),
    repeats=3,
)
