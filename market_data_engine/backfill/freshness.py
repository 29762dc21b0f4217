"""The service level of each tier: the share of its symbols whose data is late. Pure but for chance.

A symbol is late when nobody has told of it for more than twice its tier's cadence (and the time
that candles take to be final), counted in the time that its exchange is open.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from market_data_engine.backfill.gaps import sessions
from market_data_engine.providers.configuration import Tier
from shared.candles.calendar import SessionCalendar

#: Symbols of a tier that are looked at each time.
SAMPLE: Final = 200
#: Shares that are acceptable.
TARGETS: Final[Mapping[Tier, float]] = {"T0": 0.005, "T1": 0.02, "T2": 0.05}
#: Older is late, whatever the calendar says: no need to count all of it.
_LONGEST_NS = 10 * 24 * 3600 * 1_000_000_000


def open_ns(calendar: SessionCalendar, from_ns: int, until_ns: int) -> int:
    """How long the exchange was open between the two."""
    from_ns = max(from_ns, until_ns - _LONGEST_NS)
    return sum(
        max(0, min(session.close_ns, until_ns) - max(session.open_ns, from_ns))
        for session in sessions(calendar, from_ns, until_ns)
    )


def stale_share(
    symbols: Sequence[str],
    told_until_ns: Mapping[str, int],
    calendar_of: Callable[[str], SessionCalendar],
    now_ns: int,
    late_ns: int,
    random: Random | None = None,
) -> float:
    """0 to 1; 0 without symbols. A symbol that nobody has ever told of is late."""
    if not symbols:
        return 0.0
    chosen = list(symbols)
    if len(chosen) > SAMPLE:
        chosen = (random or Random()).sample(chosen, SAMPLE)  # noqa: S311 - a sample
    late = sum(
        symbol not in told_until_ns
        or open_ns(calendar_of(symbol), told_until_ns[symbol], now_ns) > late_ns
        for symbol in chosen
    )
    return late / len(chosen)
