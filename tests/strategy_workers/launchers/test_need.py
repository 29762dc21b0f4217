import pytest

from strategy_workers.launchers.launcher import LauncherError, Worker
from strategy_workers.launchers.need import Bounds, Calm, Load, steps_to, wanted
from strategy_workers.launchers.scaling import Scaling

BOUNDS = Bounds(least=1, most=5, each=100)


@pytest.mark.parametrize(
    ("deployments", "backtests", "count"),
    [(0, 0, 1), (100, 0, 1), (101, 0, 2), (0, 3, 3), (250, 2, 3), (9000, 0, 5), (0, 50, 5)],
)
def test_so_many_workers_as_deployments_or_backtests_need_within_the_bounds(
    deployments: int, backtests: int, count: int
) -> None:
    assert wanted(Load(deployments, backtests), BOUNDS) == count


def workers(*alive: bool) -> list[Worker]:
    return [Worker(str(place), f"w{place}", one) for place, one in enumerate(alive)]


def test_dead_ones_are_replaced_and_the_newest_are_drained() -> None:
    known = workers(True, False, True, True)
    more = steps_to(4, known)
    assert (more.start, more.drain, more.remove) == (1, [], [known[1]])
    less = steps_to(1, known)
    assert (less.start, less.drain, less.remove) == (0, [known[2], known[3]], [known[1]])
    assert not steps_to(2, workers(True, True))


def test_fewer_workers_must_do_for_a_while_before_one_is_ended() -> None:
    calm = Calm(2)
    assert [calm.settled(count) for count in (3, 1, 1, 1, 2, 1)] == [3, 3, 3, 1, 2, 2]
    assert [Calm(0).settled(count) for count in (3, 1)] == [3, 1]


class Refusing:
    """A launcher whose engine starts nothing."""

    def __init__(self) -> None:
        self.known = workers(True, False)
        self.done: list[str] = []

    def workers(self) -> list[Worker]:
        return self.known

    def start(self, name: str) -> None:
        raise LauncherError(f"no room for {name}")

    def drain(self, worker: Worker) -> None:
        self.done.append(f"drain {worker.name}")

    def remove(self, worker: Worker) -> None:
        self.done.append(f"remove {worker.name}")


def test_what_the_engine_refuses_holds_up_nothing_else() -> None:
    launcher = Refusing()
    load = Load(300, 0)
    scaling = Scaling(launcher, lambda: load, BOUNDS, Calm(0))
    assert scaling.look() == 1
    assert launcher.done == ["remove w1"]
