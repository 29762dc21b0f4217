"""The process of one job: `python -m strategy_workers.jobs.process`.

It reads one line, the order, and ends with the process that gave it: when its standard input
ends. It writes lines of progress. Its outcome is files in the order's folder; the outcome's own is
written last, so that one that is there is whole. It knows no database: whoever started it stores.
"""

import logging
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec
import structlog

from shared.service.internal_client import INTERNAL_TOKEN_HEADER
from shared.utils.tls import trusted_authorities
from strategy_workers.backtests.errors import (
    BadBacktestError,
    ResultTooLargeError,
    StrategyRaisedError,
)
from strategy_workers.jobs.data import DataAwayError, DataSource, TooMuchDataError
from strategy_workers.jobs.outcome import digest, write_result
from strategy_workers.jobs.request import (
    OUTCOME_FILE,
    JobDone,
    JobFailure,
    JobOrder,
    JobProgress,
)

_TOLD_EVERY_S = 0.25
_DATA_TIMEOUT_S = 30.0
_NICENESS = 10
_MOST_ERROR_CHARS = 4000


def main() -> None:
    # What a strategy prints must not get between the lines of progress.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=JobOrder)
    threading.Thread(target=_end_with_parent, args=(order.folder,), daemon=True).start()
    os.nice(_NICENESS)
    outcome = _carry_out(order, _Teller(answers))
    path = Path(order.folder) / OUTCOME_FILE
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(outcome))
    part.replace(path)


def _end_with_parent(folder: str) -> None:
    # Not through the buffer: at its end, Python would wait in vain for the lock of that.
    while os.read(0, 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


class _Teller:
    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._next_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next_at:
            self._next_at = now + _TOLD_EVERY_S
            self._answers.write(msgspec.json.encode(JobProgress(done, total)) + b"\n")
            self._answers.flush()


def _carry_out(order: JobOrder, tell: _Teller) -> JobDone | JobFailure:
    try:
        return _run(order, tell)
    except BadBacktestError as error:
        return JobFailure("invalid_backtest", _sentence(error))
    except TooMuchDataError as error:
        return JobFailure("too_much_data", _sentence(error))
    except StrategyRaisedError as error:
        return JobFailure("strategy_raised", error.traceback[-_MOST_ERROR_CHARS:])
    except ResultTooLargeError as error:
        return JobFailure("result_too_large", _sentence(error))
    except DataAwayError as error:
        return JobFailure("data_unavailable", _sentence(error))


def _run(order: JobOrder, tell: _Teller) -> JobDone | JobFailure:
    from strategy_workers.backtests.outcome import check_kept
    from strategy_workers.backtests.result import whole_result
    from strategy_workers.backtests.run import run_backtest
    from strategy_workers.jobs.parity import run_parity
    from strategy_workers.jobs.plan import plan_of

    folder = Path(order.folder)
    with httpx.Client(
        base_url=order.market_data_url,
        timeout=_DATA_TIMEOUT_S,
        headers={INTERNAL_TOKEN_HEADER: order.internal_token},
        verify=trusted_authorities(),
        trust_env=False,
    ) as client:
        data = DataSource(client, folder)
        plan = plan_of(order, data)
        if order.request.run is not None:
            return run_parity(order, order.request.run, plan, data, tell)
    found = run_backtest(plan, tell)
    check_kept(found.outcome)
    result = whole_result(found)
    write_result(folder, result)
    settings = result.pop("settings")
    details = ("trades", "executions", "equity_curve")
    return JobDone(
        summary={
            "settings": settings,
            **{name: value for name, value in result.items() if name not in details},
        },
        result_digest=digest(result),
        data_digest=digest([one["sha256"] for one in settings["files"]]),
        code_version=settings["code_version"],
    )


def _sentence(error: Exception) -> str:
    text = str(error)[:_MOST_ERROR_CHARS].rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


if __name__ == "__main__":
    main()
