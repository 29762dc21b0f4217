"""What explains each difference between a run and its repetitions. Pure.

The run is repeated with the settings asked for, and then again and again, each time with one more
thing put back as it was in the run, in the order of `CAUSES`. A difference belongs to what was put
back when it went, for good. For what is left with everything put back there are rules.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from strategy_workers.parity.matching import FIELDS, Field, Matching, differing, matched
from strategy_workers.parity.run import Fill

Cause = Literal["data", "code_version", "latency", "fill_model", "fee", "unexplained"]
#: The order in which they are put back: what decisions come from, before what orders meet, before
#: what that costs.
CAUSES: tuple[Cause, ...] = ("data", "code_version", "latency", "fill_model", "fee")

Kind = Literal["differs", "only_in_run", "only_in_rerun"]
#: Why something differs that no repetition explains, or None: the run's execution, the
#: repetition's, and the field.
Rule = Callable[[Fill | None, Fill | None, Field | None], Cause | None]


@dataclass(frozen=True)
class Step:
    #: What was put back in this repetition; None: nothing.
    cause: Cause | None
    fills: Sequence[Fill]


@dataclass(frozen=True)
class Difference:
    kind: Kind
    #: At least one of them.
    run: Fill | None
    rerun: Fill | None
    #: Of two that belong together, each field that differs; else one cause for the whole.
    causes: dict[Field | None, Cause]


@dataclass(frozen=True)
class Attribution:
    equal: int
    differences: list[Difference]

    def by_cause(self) -> dict[Cause, int]:
        """A difference in several fields can have several."""
        counts: dict[Cause, int] = {}
        for one in self.differences:
            for cause in set(one.causes.values()):
                counts[cause] = counts.get(cause, 0) + 1
        return counts


def attributed(
    run: Sequence[Fill], steps: Sequence[Step], within: timedelta, rule: Rule
) -> Attribution:
    """The first step is what was asked for, the last one has everything as it was."""
    matches = [matched(run, step.fills, within) for step in steps]
    differences = []
    equal = 0
    for place in range(len(run)):
        found = _of_run(run, steps, matches, place, rule)
        if found is None:
            equal += 1
        else:
            differences.append(found)
    extra = [
        {_name(step.fills[place]) for place in match.extra}
        for step, match in zip(steps, matches, strict=True)
    ]
    differences += [_extra(other, steps, extra, rule) for other in _extras(steps, matches)]
    differences.sort(key=_time)
    return Attribution(equal, differences)


def _time(one: Difference) -> tuple[datetime, str]:
    fill = one.run or one.rerun
    assert fill is not None, "one of them is there"
    return fill.at, fill.symbol


def _of_run(
    run: Sequence[Fill],
    steps: Sequence[Step],
    matches: Sequence[Matching],
    place: int,
    rule: Rule,
) -> Difference | None:
    mine = run[place]
    partners = [
        None if match.partners[place] is None else step.fills[match.partners[place] or 0]
        for step, match in zip(steps, matches, strict=True)
    ]
    wrong = [_wrong(mine, other) for other in partners]
    # As asked for, or, where that happens to agree, as it is with everything put back.
    shown = 0 if wrong[0] else len(steps) - 1
    if not wrong[shown]:
        return None
    other = partners[shown]
    causes = {
        field: _cause(
            steps, [field in each or (field is not None and None in each) for each in wrong], shown
        )
        or rule(mine, other, field)
        or "unexplained"
        for field in (*FIELDS, None)
        if field in wrong[shown]
    }
    return Difference("only_in_run" if other is None else "differs", mine, other, causes)


def _wrong(mine: Fill, other: Fill | None) -> frozenset[Field | None]:
    """The fields that differ; None stands for the whole when there is no other."""
    return frozenset([None] if other is None else differing(mine, other))


def _cause(steps: Sequence[Step], wrong: Sequence[bool], shown: int) -> Cause | None:
    """What was put back when it went, for good; None when it is there at the end."""
    if shown or wrong[-1]:
        return None
    last = max(place for place, each in enumerate(wrong) if each)
    return steps[last + 1].cause


def _extras(steps: Sequence[Step], matches: Sequence[Matching]) -> list[Fill]:
    """As asked for, and those besides that are there with everything put back."""
    first = [steps[0].fills[place] for place in matches[0].extra]
    known = {_name(fill) for fill in first}
    last = [steps[-1].fills[place] for place in matches[-1].extra]
    return first + [fill for fill in last if _name(fill) not in known]


def _name(fill: Fill) -> tuple[object, ...]:
    return fill.at, fill.symbol, fill.side


def _extra(
    other: Fill, steps: Sequence[Step], extra: Sequence[Collection[object]], rule: Rule
) -> Difference:
    """`extra` are the names of those besides the run's, of each step."""
    wrong = [_name(other) in names for names in extra]
    shown = 0 if wrong[0] else len(steps) - 1
    cause = _cause(steps, wrong, shown) or rule(None, other, None) or "unexplained"
    return Difference("only_in_rerun", None, other, {None: cause})
