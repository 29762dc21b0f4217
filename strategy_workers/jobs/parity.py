"""The job that makes a run again, in the process of backtests."""

from datetime import datetime
from pathlib import Path

from strategy_workers.backtests.outcome import Progress
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.versions import code_version, fingerprint
from strategy_workers.jobs.data import DataSource
from strategy_workers.jobs.outcome import digest, write_result
from strategy_workers.jobs.plan import strategy_of
from strategy_workers.jobs.request import JobDone, JobOrder
from strategy_workers.parity.report import parity_report, spans_of
from strategy_workers.parity.rerun import repeated
from strategy_workers.parity.rules import Span
from strategy_workers.parity.run import RecordedRun


def run_parity(
    order: JobOrder, run: RecordedRun, plan: Plan, data: DataSource, tell: Progress
) -> JobDone:
    """`plan` is what was asked for. Raises what backtests raise."""
    asked = order.request
    files = plan.files
    if asked.source == "files" and run.files != asked.files:
        files = tuple(data.file(one) for one in run.files)
    made = repeated(
        plan, run, files, asked.strategy_version, lambda version: strategy_of(order, version), tell
    )
    spans: dict[str, list[Span]] = {}
    corrected: dict[str, datetime] = {}
    if asked.data_timeframe is not None:
        spans = spans_of(files[0], asked.data_timeframe)
        corrected = data.corrected_from(
            asked.symbols, asked.data_timeframe, asked.start, asked.end, run.began_at, run.ended_at
        )
    now = code_version()
    report = parity_report(run, made, spans, corrected, now)
    write_result(Path(order.folder), report)
    told = ("differences", "notes", "steps")
    return JobDone(
        summary={
            "rows": made.rows,
            **{name: value for name, value in report.items() if name not in told},
        },
        result_digest=digest(report),
        data_digest=digest([fingerprint(path) for path in plan.files]),
        code_version=now,
    )
