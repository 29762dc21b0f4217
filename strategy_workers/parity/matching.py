"""Which execution of one run is which of the other. Pure.

1. What has time, symbol, side, quantity and price in common belongs together, first to first.
2. What is left of a symbol and side is paired in the order of time, when no more than `within` is
   between the two and no other partner is nearer.
3. What is left then is on one side alone.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from strategy_workers.parity.run import Fill

Field = Literal["at", "qty", "price", "fee"]
FIELDS: tuple[Field, ...] = ("at", "qty", "price", "fee")


class Matching(NamedTuple):
    #: Of each of the run's executions, its place in the other; None when it has no partner.
    partners: list[int | None]
    #: Places of those that only the other has.
    extra: list[int]


def matched(run: Sequence[Fill], again: Sequence[Fill], within: timedelta) -> Matching:
    partners: list[int | None] = [None] * len(run)
    free: dict[tuple[object, ...], deque[int]] = defaultdict(deque)
    for place, fill in enumerate(again):
        free[fill.at, fill.symbol, fill.side, fill.qty, fill.price].append(place)
    for place, fill in enumerate(run):
        equal = free[fill.at, fill.symbol, fill.side, fill.qty, fill.price]
        if equal:
            partners[place] = equal.popleft()
    taken = {one for one in partners if one is not None}
    left = _by_kind(run, (place for place, one in enumerate(partners) if one is None))
    others = _by_kind(again, (place for place in range(len(again)) if place not in taken))
    for kind, mine in left.items():
        for place, other in _nearest(run, again, mine, others.get(kind, []), within):
            partners[place] = other
            taken.add(other)
    return Matching(partners, [place for place in range(len(again)) if place not in taken])


def _by_kind(fills: Sequence[Fill], places: Iterable[int]) -> dict[tuple[str, str], list[int]]:
    kinds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in places:
        kinds[fills[place].symbol, fills[place].side].append(place)
    return kinds


def _nearest(
    run: Sequence[Fill],
    again: Sequence[Fill],
    mine: list[int],
    others: list[int],
    within: timedelta,
) -> list[tuple[int, int]]:
    """Pairs in the order of time: neither side is crossed."""
    pairs, at, to = [], 0, 0
    while at < len(mine) and to < len(others):
        apart = abs(run[mine[at]].at - again[others[to]].at)
        if to + 1 < len(others) and abs(run[mine[at]].at - again[others[to + 1]].at) < apart:
            to += 1
        elif at + 1 < len(mine) and abs(run[mine[at + 1]].at - again[others[to]].at) < apart:
            at += 1
        elif apart <= within:
            pairs.append((mine[at], others[to]))
            at, to = at + 1, to + 1
        elif run[mine[at]].at < again[others[to]].at:
            at += 1
        else:
            to += 1
    return pairs


def differing(fill: Fill, other: Fill) -> list[Field]:
    return [name for name in FIELDS if getattr(fill, name) != getattr(other, name)]
