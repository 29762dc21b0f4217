"""A study that nobody wants to keep."""

from collections.abc import Mapping

from strategy_workers.optimisation.trial import Trial


class InMemory:
    def __init__(self) -> None:
        self._results: dict[int, Trial] = {}
        self._claimed: set[int] = set()

    def results(self) -> Mapping[int, Trial]:
        return self._results

    def claim(self, number: int) -> bool:
        if number in self._claimed:
            return False
        self._claimed.add(number)
        return True

    def keep_claims(self) -> None:
        return

    def finish(self, trial: Trial) -> None:
        self._results[trial.number] = trial

    def close(self) -> None:
        return
