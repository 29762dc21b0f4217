"""One look after the other: what there is to do, what runs, and what is missing."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import structlog

from strategy_workers.launchers.launcher import Launcher, LauncherError
from strategy_workers.launchers.need import Bounds, Calm, Load, steps_to, wanted

log = structlog.get_logger()

#: A worker that ends at once, again and again, is not started more often than this in each look.
_MOST_STARTS = 4


class Scaling:
    def __init__(
        self, launcher: Launcher, load: Callable[[], Load], bounds: Bounds, calm: Calm
    ) -> None:
        self._launcher = launcher
        self._load = load
        self._bounds = bounds
        self._calm = calm

    def look(self) -> int:
        """How many run now, as far as the launcher knows. What fails is tried in the next look.

        Raises LauncherError when not even that is known.
        """
        load = self._load()
        count = self._calm.settled(wanted(load, self._bounds))
        steps = steps_to(count, self._launcher.workers())
        for worker in steps.remove:
            log.warning("worker_ended", worker=worker.name)
            self._try("remove", partial(self._launcher.remove, worker))
        for _ in range(min(steps.start, _MOST_STARTS)):
            name = f"trading-worker-{uuid4().hex[:8]}"
            self._try("start", partial(self._launcher.start, name))
        for worker in steps.drain:
            self._try("drain", partial(self._launcher.drain, worker))
        running = sum(one.alive for one in self._launcher.workers())
        if steps:
            log.info("workers_scaled", running=running, wanted=count, **vars(load))
        return running

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except LauncherError as error:
            log.error("worker_not_launched", step=what, error=str(error))
