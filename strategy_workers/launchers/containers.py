"""Workers as containers, by the Docker SDK."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from strategy_workers.launchers.launcher import LauncherError, Worker

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = structlog.get_logger()

_OWNER = "trading.launcher"
_ROLE = "trading.role"
_DRAINING = "trading-draining-"
#: More than DRAIN_TIMEOUT_S can be: who takes longer hangs.
_KILL_AFTER_S = 330.0
#: Nobody starts a container so long after it was made.
_START_WITHIN_S = 60.0
#: Below the working folder of the image.
SETTINGS_FILE = "/app/.env"


@dataclass(frozen=True)
class ContainerTerms:
    image: str
    network: str | None = None
    memory_mib: int = 2048
    cpus: float = 1.0
    processes: int = 512
    #: Settings that aren't secret. Whoever may inspect a container reads them.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: A file of the engine's machine with the others, secrets among them; mounted, so that they
    #: are in nobody's description of the container.
    settings_file: Path | None = None


class DockerLauncher:
    def __init__(
        self,
        client: DockerClient,
        owner: str,
        terms: ContainerTerms,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` tells its containers from those of others on the same engine."""
        self._client = client
        self._owner = owner
        self._terms = terms
        self._clock_s = clock_s
        #: When containers were first seen like this, by their id and state.
        self._since_s: dict[tuple[str, str], float] = {}

    def workers(self) -> list[Worker]:
        """Those that drain hear of it again, until they have ended."""
        with _told():
            found = self._mine()
        found.sort(key=lambda one: str(one.attrs["Created"]))
        states = {
            str(one.id): "draining" if one.name.startswith(_DRAINING) else str(one.status)
            for one in found
        }
        known = self._since_s
        self._since_s = {each: known.get(each, self._clock_s()) for each in states.items()}
        for one in found:
            if states[str(one.id)] == "draining":
                self._go_on_draining(one)
        return [
            Worker(str(one.id), str(one.name), self._is_alive(one, state))
            for one in found
            if (state := states[str(one.id)]) != "draining"
        ]

    def _is_alive(self, container: Container, state: str) -> bool:
        """One that was made and not started is what a launcher left that ended in between."""
        return state == "running" or (
            state == "created" and self._waited_s(container, state) < _START_WITHIN_S
        )

    def _go_on_draining(self, container: Container) -> None:
        try:
            with _told():
                if container.status != "running":
                    container.remove()
                elif self._waited_s(container, "draining") < _KILL_AFTER_S:
                    container.kill(signal="SIGTERM")  # it may have come before it was heeded
                else:
                    container.kill()
        except LauncherError as error:  # the next look tries again
            log.warning("worker_still_drains", worker=container.name, error=str(error))

    def _waited_s(self, container: Container, state: str) -> float:
        return self._clock_s() - self._since_s[str(container.id), state]

    def _mine(self) -> list[Container]:
        labels = {"label": [f"{_OWNER}={self._owner}", f"{_ROLE}=strategy-worker"]}
        found: list[Container] = self._client.containers.list(
            all=True, filters=labels, ignore_removed=True
        )
        return found

    def start(self, name: str) -> None:
        with _told():
            container = self._made(name)
            try:
                container.start()
            except BaseException:
                self._take_back(container)
                raise

    def _made(self, name: str) -> Container:
        from docker.errors import ImageNotFound

        make = partial(
            self._client.containers.create,
            self._terms.image,
            name=name,
            detach=True,
            **self.description(),
        )
        try:
            return make()
        except ImageNotFound:
            self._client.images.pull(self._terms.image)
            return make()

    def _take_back(self, container: Container) -> None:
        """What couldn't be started must not stay: it counts as a worker that begins."""
        try:
            with _told():
                container.remove(force=True)
        except LauncherError as error:  # looks remove it after a while
            log.warning("container_left", worker=container.name, error=str(error))

    def description(self) -> dict[str, Any]:
        """As `containers.create` takes it: what a worker needs, and nothing more."""
        terms = self._terms
        described: dict[str, Any] = {
            "labels": {_OWNER: self._owner, _ROLE: "strategy-worker"},
            "environment": dict(terms.environment),
            "mem_limit": f"{terms.memory_mib}m",
            "memswap_limit": f"{terms.memory_mib}m",
            "nano_cpus": int(terms.cpus * 1e9),
            "pids_limit": terms.processes,
            "read_only": True,
            "tmpfs": {"/tmp": "size=1g"},  # noqa: S108 - the container's own
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
        }
        if terms.network is not None:
            described["network"] = terms.network
        if terms.settings_file is not None:
            described["volumes"] = {str(terms.settings_file): {"bind": SETTINGS_FILE, "mode": "ro"}}
        return described

    def drain(self, worker: Worker) -> None:
        """It goes on under another name until it has ended: nobody waits for it."""
        with _told():
            container = self._client.containers.get(worker.id)
            container.kill(signal="SIGTERM")
            container.rename(f"{_DRAINING}{worker.name}")

    def remove(self, worker: Worker) -> None:
        with _told():
            self._client.containers.get(worker.id).remove()


@contextmanager
def _told() -> Iterator[None]:
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise LauncherError(f"The Docker engine refuses: {error.explanation}") from error
    except DockerException as error:
        raise LauncherError(f"The Docker engine doesn't answer: {error}") from error
    except OSError as error:
        raise LauncherError(f"The Docker engine doesn't answer: {error}") from error
