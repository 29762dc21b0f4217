"""Real processes, and real containers where an engine answers."""

import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from strategy_workers.launchers.containers import ContainerTerms, DockerLauncher
from strategy_workers.launchers.launcher import Launcher, LauncherError, Worker
from strategy_workers.launchers.load import load_of
from strategy_workers.launchers.need import Bounds, Calm, Load
from strategy_workers.launchers.processes import ProcessLauncher
from strategy_workers.launchers.scaling import Scaling

#: It works until it is asked to end.
_WORK = 'trap "exit 0" TERM; while :; do sleep 0.1; done'


def until(holds: Callable[[], bool], what: str) -> None:
    ends_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends_at, f"waited in vain for {what}"
        time.sleep(0.05)


def lives(launcher: Launcher, die: Callable[[Worker], None]) -> None:
    """What any launcher does: start, replace what died, drain what is too much."""
    count = 2
    scaling = Scaling(launcher, lambda: Load(count, 0), Bounds(0, 9, 1), Calm(0))
    assert scaling.look() == 2
    first, second = launcher.workers()
    die(first)
    until(lambda: not launcher.workers()[0].alive, "the end of the first")
    assert scaling.look() == 2
    assert launcher.workers()[0] == second
    count = 1
    assert scaling.look() == 1
    assert list(launcher.workers()) == [second]
    count = 0
    assert scaling.look() == 0


def test_processes_are_started_replaced_and_drained() -> None:
    launcher = ProcessLauncher(["sh", "-c", _WORK])
    try:
        lives(launcher, lambda worker: os.kill(int(worker.id), signal.SIGKILL))
    finally:
        launcher.end(30)
    assert launcher.workers() == []


def test_a_command_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(LauncherError, match="nowhere can't be started"):
        ProcessLauncher(["nowhere"]).start("one")


def test_load_is_what_postgres_says_of_deployments_and_backtests(engine: Engine) -> None:
    assert load_of(engine) == Load(0, 0)


def test_an_engine_that_is_not_there_is_told_in_a_sentence() -> None:
    docker = pytest.importorskip("docker")
    client = docker.DockerClient("unix:///nowhere.sock", version="1.41")
    with pytest.raises(LauncherError, match="doesn't answer"):
        DockerLauncher(client, "tests", ContainerTerms("none")).workers()


def test_a_container_has_limits_and_a_label_and_no_secret() -> None:
    docker = pytest.importorskip("docker")
    client = docker.DockerClient("unix:///nowhere.sock", version="1.41")
    terms = ContainerTerms("image", settings_file=Path("/etc/trading/worker.env"))
    described = DockerLauncher(client, "tests", terms).description()
    assert described["environment"] == {}
    assert described["volumes"] == {"/etc/trading/worker.env": {"bind": "/app/.env", "mode": "ro"}}
    assert described["labels"]["trading.launcher"] == "tests"
    assert (described["read_only"], described["cap_drop"]) == (True, ["ALL"])


# --- a real engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docker_client() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        pytest.skip("no Docker engine: start one with deploy/docker/engine.sh")
    client = docker.from_env()
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(docker_client: Any) -> Iterator[str]:
    """A shell, `sleep` and what they are linked with."""
    name = f"trading-launcher-test-{uuid4().hex[:8]}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        needed = {f"bin/{name}": str(shutil.which(name)) for name in ("sh", "sleep")}
        for program in list(needed.values()):
            needed |= {library.lstrip("/"): library for library in _libraries(program)}
        for place, path in needed.items():
            files.add(os.path.realpath(path), place)
    docker_client.api.import_image_from_data(
        archive.getvalue(), repository=name, changes=[f"CMD {json.dumps(['/bin/sh', '-c', _WORK])}"]
    )
    yield name
    docker_client.images.remove(name, force=True)


def _libraries(program: str) -> Sequence[str]:
    told = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [word for line in told.splitlines() for word in line.split() if word.startswith("/")]


def test_containers_are_started_within_their_limits_replaced_and_drained(
    docker_client: Any, image: str
) -> None:
    owner = f"tests-{uuid4().hex[:8]}"
    launcher = DockerLauncher(docker_client, owner, ContainerTerms(image, memory_mib=64, cpus=0.5))
    mine = {"label": f"trading.launcher={owner}"}
    try:
        lives(launcher, lambda worker: docker_client.containers.get(worker.id).kill())
        stranger = DockerLauncher(docker_client, "others", ContainerTerms(image))
        assert stranger.workers() == []
        launcher.start(f"{owner}-last")
        limits = docker_client.containers.get(f"{owner}-last").attrs["HostConfig"]
        assert (limits["Memory"], limits["NanoCpus"]) == (64 * 2**20, 500_000_000)
        assert limits["ReadonlyRootfs"]
        # Another launcher of the same owner, after a restart, say, goes on with it.
        again = DockerLauncher(docker_client, owner, ContainerTerms(image))
        assert [one.name for one in again.workers()] == [f"{owner}-last"]
        (known,) = again.workers()
        again.drain(known)

        def gone() -> bool:
            return not again.workers() and not docker_client.containers.list(all=True, filters=mine)

        until(gone, "the drained ones to be removed")
        with pytest.raises(LauncherError, match="refuses"):
            launcher.remove(known)
    finally:
        for one in docker_client.containers.list(all=True, filters=mine):
            one.remove(force=True)


def test_an_image_that_is_not_there_is_told_in_a_sentence(docker_client: Any) -> None:
    launcher = DockerLauncher(docker_client, "tests", ContainerTerms("trading-nowhere:none"))
    with pytest.raises(LauncherError, match="engine"):
        launcher.start("never")
