"""Makes a run again: as it is asked for, and then with one thing after another as it was."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import msgspec

from shared.candles.timeframes import LENGTH_NS
from shared.models.margin import parse_margin_terms
from shared.models.orders import Execution
from shared.trading.paper_terms import PaperTerms, parse_paper_terms
from strategy_workers.backtests.attendance import Attendance, NewVersion
from strategy_workers.backtests.outcome import MOST_EXECUTIONS, Progress, check_kept
from strategy_workers.backtests.plan import Plan, TimeRange, TimeSpan
from strategy_workers.backtests.run import run_backtest
from strategy_workers.parity.attribution import CAUSES, Cause, Step
from strategy_workers.parity.run import Fill, RecordedRun, VersionFrom
from strategy_workers.runtime.desk import nanoseconds
from strategy_workers.sdk import Strategy

#: Two executions can be the same order's when no more than this is between them, or a candle.
_LEAST_APART = timedelta(minutes=5)
#: What of the paper terms is what.
_TERMS: Mapping[Cause, tuple[str, ...]] = {
    "latency": ("latency_ms", "latency_jitter_ms"),
    "fill_model": ("slippage", "participation_percent", "extended_hours", "queue"),
    "fee": ("commission",),
}

#: A version of the strategy by its number; None: of the library.
CodeOf = Callable[[int | None], type[Strategy]]


@dataclass(frozen=True)
class Settings:
    """What can be put back."""

    files: tuple[Path, ...]
    versions: tuple[VersionFrom, ...]
    #: Of orders from these market times on.
    terms: tuple[tuple[int, PaperTerms], ...]


@dataclass(frozen=True)
class Repetitions:
    steps: list[Step]
    rows: int
    within: timedelta


def repeated(
    base: Plan,
    run: RecordedRun,
    recorded_files: tuple[Path, ...],
    asked_version: int | None,
    code_of: CodeOf,
    progress: Progress,
    most_executions: int = MOST_EXECUTIONS,
) -> Repetitions:
    """`base` is what was asked for, with its first version. Raises what backtests raise."""
    plans = [
        (cause, _plan(base, run, settings, code_of))
        for cause, settings in _settings(base, run, recorded_files, asked_version)
    ]
    steps, rows = [], 0
    for number, (cause, plan) in enumerate(plans):
        outcome = run_backtest(plan, _part(progress, number, len(plans))).outcome
        check_kept(outcome, most_executions)
        rows += outcome.rows
        steps.append(Step(cause, [fill_of(one) for one in outcome.executions]))
    length = timedelta(microseconds=LENGTH_NS[base.timeframe] // 1000)
    return Repetitions(steps, rows, max(_LEAST_APART, length))


def _part(progress: Progress, number: int, parts: int) -> Progress:
    return lambda done, total: progress(number * total + done, parts * total)


def fill_of(one: Execution) -> Fill:
    return Fill(one.at, one.symbol, one.side, one.qty, one.price, one.fee)


def _settings(
    base: Plan, run: RecordedRun, recorded_files: tuple[Path, ...], asked_version: int | None
) -> Iterator[tuple[Cause | None, Settings]]:
    """As asked for; then, where that is another one, with one thing more as it was in the run."""
    was = Settings(
        recorded_files,
        tuple(run.versions),
        tuple((nanoseconds(one.at), parse_paper_terms(one.paper_terms)) for one in run.terms),
    )
    now = Settings(
        base.files,
        was.versions
        if asked_version == run.versions[0].strategy_version
        else tuple(
            msgspec.structs.replace(one, strategy_version=asked_version) for one in was.versions
        ),
        tuple((at_ns, base.terms.paper) for at_ns, _ in was.terms),
    )
    yield None, now
    for cause in CAUSES:
        put_back = _put_back(cause, now, was)
        if put_back != now:
            now = put_back
            yield cause, now


def _put_back(cause: Cause, now: Settings, was: Settings) -> Settings:
    if cause == "data":
        return replace(now, files=was.files)
    if cause == "code_version":
        return replace(now, versions=was.versions)
    names = _TERMS[cause]
    return replace(
        now,
        terms=tuple(
            (
                at_ns,
                msgspec.structs.replace(terms, **{name: getattr(before, name) for name in names}),
            )
            for (at_ns, terms), (_, before) in zip(now.terms, was.terms, strict=True)
        ),
    )


def _plan(base: Plan, run: RecordedRun, settings: Settings, code_of: CodeOf) -> Plan:
    begin_ns = nanoseconds(run.begins_at) if run.begins_at else 0
    data_ns = nanoseconds(run.data_from) if run.data_from else 0
    end_ns = nanoseconds(run.ends_at) if run.ends_at else None
    first, *later = settings.versions
    strategy = code_of(first.strategy_version)
    terms = settings.terms or ((0, base.terms.paper),)
    plan = replace(
        base,
        strategy=strategy,
        parameters=_parameters(strategy, first),
        files=settings.files,
        symbols=tuple(run.symbols),
        terms=replace(
            base.terms,
            paper=terms[0][1],
            margin=parse_margin_terms(run.margin),
            borrow_fee_bps=run.borrow_fee_bps,
        ),
    )
    if base.source == "candles":
        span = TimeSpan(from_ns=max(begin_ns, data_ns))
        if end_ns is not None:
            span = replace(span, until_ns=end_ns)
        return replace(plan, timerange=span, history=TimeRange() if run.began_warm else None)
    return replace(
        plan,
        timerange=TimeSpan(from_ns=data_ns),
        attendance=Attendance(
            begin_ns,
            end_ns,
            tuple(_new_version(one, code_of) for one in later),
            terms[1:],
        ),
    )


def _new_version(version: VersionFrom, code_of: CodeOf) -> NewVersion:
    strategy = code_of(version.strategy_version)
    at_ns = nanoseconds(version.at) if version.at else 0
    return NewVersion(at_ns, strategy, _parameters(strategy, version))


def _parameters(strategy: type[Strategy], version: VersionFrom) -> dict[str, object]:
    """Those that this version of the code has too, as when one goes on for the other."""
    declared = strategy.declared_parameters()
    known = {name: value for name, value in version.parameters.items() if name in declared}
    return strategy.parse_parameters(known)
