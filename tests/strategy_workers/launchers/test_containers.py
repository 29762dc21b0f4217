"""What becomes of containers when the engine refuses a step, or a launcher dies between two."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from strategy_workers.launchers.containers import ContainerTerms, DockerLauncher
from strategy_workers.launchers.launcher import LauncherError
from strategy_workers.launchers.need import Bounds, Calm, Load
from strategy_workers.launchers.scaling import Scaling
from tests.strategy_workers.launchers.engine_double import EngineDouble, engine_double


@dataclass
class Stand:
    engine: EngineDouble
    launcher: DockerLauncher
    now_s: float = 0.0

    def states(self) -> list[str]:
        return [one.status for one in self.engine.containers.values()]


@pytest.fixture
def stand() -> Iterator[Stand]:
    docker = pytest.importorskip("docker")
    with engine_double() as engine:
        client = docker.DockerClient(engine.url, version="1.41")
        launcher = DockerLauncher(
            client, "tests", ContainerTerms("image"), clock_s=lambda: made.now_s
        )
        made = Stand(engine, launcher)
        yield made
        client.close()


def test_a_container_that_can_not_be_started_does_not_stay(stand: Stand) -> None:
    stand.engine.failing = {"start"}
    with pytest.raises(LauncherError, match="refuses: no start today"):
        stand.launcher.start("one")
    assert stand.engine.containers == {}
    stand.engine.failing = set()
    scaling = Scaling(stand.launcher, lambda: Load(1, 0), Bounds(1, 1, 1), Calm(0))
    assert scaling.look() == 1
    assert stand.states() == ["running"]


def test_one_that_was_made_and_never_started_is_replaced_after_a_while(stand: Stand) -> None:
    stand.engine.failing = {"start", "remove"}
    with pytest.raises(LauncherError, match="no start today"):
        stand.launcher.start("one")
    stand.engine.failing = set()
    scaling = Scaling(stand.launcher, lambda: Load(1, 0), Bounds(1, 1, 1), Calm(0))
    assert scaling.look() == 1  # somebody may be about to start it
    assert stand.states() == ["created"]
    stand.now_s = 61.0
    assert scaling.look() == 1
    assert stand.states() == ["running"]


@pytest.mark.parametrize("failing", ["kill", "rename"])
def test_one_that_could_not_be_drained_is_drained_later(stand: Stand, failing: str) -> None:
    stand.launcher.start("one")
    (worker,) = stand.launcher.workers()
    stand.engine.failing = {failing}
    with pytest.raises(LauncherError):
        stand.launcher.drain(worker)
    stand.engine.failing = set()
    scaling = Scaling(stand.launcher, lambda: Load(0, 0), Bounds(0, 1, 1), Calm(0))
    scaling.look()
    assert scaling.look() == 0
    assert stand.engine.containers == {}


def test_one_that_drains_is_told_again_and_killed_in_the_end(stand: Stand) -> None:
    stand.engine.deaf = True
    stand.launcher.start("one")
    stand.launcher.drain(*stand.launcher.workers())
    (draining,) = stand.engine.containers.values()
    for stand.now_s in (10.0, 300.0, 339.0):
        assert stand.launcher.workers() == []
    assert draining.signals == ["SIGTERM"] * 4
    stand.now_s = 341.0
    assert stand.launcher.workers() == []
    assert (draining.signals[-1], draining.status) == ("SIGKILL", "exited")
    assert stand.launcher.workers() == []
    assert stand.engine.containers == {}


def test_one_that_can_not_be_removed_does_not_hide_the_others(stand: Stand) -> None:
    stand.launcher.start("one")
    stand.launcher.drain(*stand.launcher.workers())
    stand.launcher.start("two")
    stand.engine.failing = {"remove"}
    assert [one.name for one in stand.launcher.workers()] == ["two"]
