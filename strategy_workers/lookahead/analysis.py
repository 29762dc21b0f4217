"""Runs of the same strategy over data that ends earlier, compared with the run over all of it."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.errors import BadBacktestError, StrategyRaisedError
from strategy_workers.backtests.outcome import no_progress
from strategy_workers.backtests.plan import Plan, TimeRange
from strategy_workers.backtests.trades_run import run_trades
from strategy_workers.lookahead.trace import Decision, Heard, Trace, traced

#: Told how many of how many runs are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Until(TimeRange):
    cut_ns: int = 0

    @property
    def end_ns(self) -> int:
        return min(super().end_ns, self.cut_ns)


@dataclass(frozen=True)
class Finding:
    """The first decision that changed when what comes at `cut_ns` and after it was cut."""

    cut_ns: int
    at_ns: int
    #: None: nothing was decided there.
    with_future: str | None
    without: str | None


@dataclass(frozen=True)
class Analysis:
    decisions: int
    #: Runs over data that was cut.
    cuts: int
    findings: list[Finding]
    #: False when a second run over all data decided otherwise: then nothing was cut, as
    #: differences would say nothing about the future.
    repeatable: bool = True

    @property
    def clean(self) -> bool:
        return self.repeatable and not self.findings


def analyse(plan: Plan, cuts: int, progress: Progress = no_progress) -> Analysis:
    """Cut the data at up to `cuts` moments: half of them such in which something was decided.

    Raises BadBacktestError when the plan can't be run or decides nothing, StrategyRaisedError when
    a hook raises with all data there.
    """
    whole = _run(plan)
    if not whole.decisions:
        raise BadBacktestError("the strategy decides nothing on this data, so nothing can be said")
    if _run(plan).decisions != whole.decisions:
        return Analysis(len(whole.decisions), 0, [], repeatable=False)
    findings, made = [], 0
    chosen = _moments_to_cut(whole, cuts)
    for number, cut_ns in enumerate(chosen):
        progress(number, len(chosen))
        try:
            found = _compared(plan, whole, cut_ns)
        except BadBacktestError:
            continue  # what is left can't be run: not all symbols have begun, say
        made += 1
        if found is not None:
            findings.append(found)
    if not made:
        raise BadBacktestError("the data is too short to be cut anywhere")
    return Analysis(len(whole.decisions), made, findings)


def _run(plan: Plan) -> Trace:
    trace = Trace()
    _play(replace(plan, strategy=traced(plan.strategy, trace)))
    return trace


def _play(plan: Plan) -> None:
    (run_trades if plan.source == "trades" else run_candles)(plan, no_progress)


def _moments_to_cut(whole: Trace, count: int) -> list[int]:
    moments = whole.moments()[:-1]
    decided = {bisect_left(moments, each.at_ns) for each in whole.decisions}
    telling = [moments[place] for place in sorted(decided) if place < len(moments)]
    half = (count + 1) // 2
    return sorted({*_spread(telling, half), *_spread(moments, count - half)})


def _spread(items: Sequence[int], count: int) -> list[int]:
    """Up to `count` of them, evenly, the last one among them."""
    if len(items) <= count:
        return list(items)
    return [items[(number + 1) * len(items) // count - 1] for number in range(count)]


def _compared(plan: Plan, whole: Trace, cut_ns: int) -> Finding | None:
    trace = Trace()
    days = plan.timerange
    shorter = replace(
        plan,
        strategy=traced(plan.strategy, trace),
        timerange=_Until(days.first, days.last, cut_ns),
    )
    try:
        _play(shorter)
    except StrategyRaisedError as error:
        at_ns = trace.heard[-1].end_ns if trace.heard else cut_ns
        return Finding(cut_ns, at_ns, "no exception", str(error))
    until_ns = _same_until(whole.heard, trace.heard)
    return _first_difference(cut_ns, whole.until(until_ns), trace.until(until_ns))


def _same_until(whole: Sequence[Heard], part: Sequence[Heard]) -> int:
    """The last moment up to which both runs heard the same: a candle that isn't complete without
    what was cut isn't heard, and what is decided on it is no difference."""
    same = 0
    while same < min(len(whole), len(part)) and whole[same] == part[same]:
        same += 1
    if not same:
        return 0
    last_ns = whole[same - 1].end_ns
    more = [each[same].end_ns for each in (whole, part) if same < len(each)]
    return last_ns if all(end_ns > last_ns for end_ns in more) else last_ns - 1


def _first_difference(
    cut_ns: int, whole: Sequence[Decision], part: Sequence[Decision]
) -> Finding | None:
    for place in range(max(len(whole), len(part))):
        ours = whole[place] if place < len(whole) else None
        theirs = part[place] if place < len(part) else None
        if ours == theirs:
            continue
        at_ns = min(each.at_ns for each in (ours, theirs) if each is not None)
        return Finding(cut_ns, at_ns, _what(ours, at_ns), _what(theirs, at_ns))
    return None


def _what(decision: Decision | None, at_ns: int) -> str | None:
    return decision.what if decision is not None and decision.at_ns == at_ns else None
