"""Work through a study: hand trials to processes, write down what comes back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for_any

from strategy_workers.backtests.errors import BacktestError
from strategy_workers.optimisation.samplers import Sampler
from strategy_workers.optimisation.space import Point
from strategy_workers.optimisation.study import Study, counted, has_stopped
from strategy_workers.optimisation.trial import Task, Trial, run_trial

#: How often others' trials are looked for, and our own claims renewed.
_LOOK_S = 1.0

#: Trials that a process has waiting, so that it needn't.
_AHEAD = 2

#: Called with the finished trials, and how many there will be at most.
Progress = Callable[[list[Trial], int], None]


class WorkersDiedError(BacktestError):
    """What is finished is stored; the study can be resumed."""


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh ones: a fork of a process that has threads may hang in one of their locks."""
    pool = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_process
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise WorkersDiedError("a worker process died; --resume goes on with the study") from error
    except BaseException:
        for process in list(pool._processes.values()):  # noqa: SLF001
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def work_on(
    study: Study,
    sampler: Sampler,
    make_task: Callable[[int, Point], Task],
    pool: ProcessPoolExecutor,
    *,
    jobs: int,
    trials: int,
    stop_after: int | None,
    progress: Progress,
) -> list[Trial]:
    """All trials that count, in their order. Raises BacktestError."""
    running: dict[Future[Trial], int] = {}
    while True:
        results = study.results()
        found = counted(results, stop_after)
        points = sampler.points(results)
        progress(found, trials)
        if has_stopped(found, stop_after) or len(found) >= min(trials, len(points)):
            for future in running:
                future.cancel()
            return found
        open_numbers = iter([n for n in range(min(trials, len(points))) if n not in results])
        while len(running) < jobs * _AHEAD:
            number = next((n for n in open_numbers if study.claim(n)), None)
            if number is None:
                break
            running[pool.submit(run_trial, make_task(number, points[number]))] = number
        study.keep_claims()
        if not running:
            time.sleep(_LOOK_S)  # others are at the last trials
            continue
        done, _ = wait(running, _LOOK_S, FIRST_COMPLETED)
        for future in done:
            del running[future]
            study.finish(future.result())


def _prepare_process() -> None:
    """The parent hears Ctrl-C and ends its processes; when it dies they do, too."""
    import logging

    import structlog

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a child"

    def leave_with_parent() -> None:
        wait_for_any([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
