"""Workers as containers, by the Docker SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategy_workers.launchers.launcher import LauncherError, Worker

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_OWNER = "trading.launcher"
_ROLE = "trading.role"
_DRAINING = "trading-draining-"
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
    def __init__(self, client: DockerClient, owner: str, terms: ContainerTerms) -> None:
        """`owner` tells its containers from those of others on the same engine."""
        self._client = client
        self._owner = owner
        self._terms = terms

    def workers(self) -> list[Worker]:
        with _told():
            found = self._mine()
            found.sort(key=lambda one: str(one.attrs["Created"]))
            for one in found:
                if one.name.startswith(_DRAINING) and one.status != "running":
                    one.remove()
            return [
                Worker(str(one.id), str(one.name), one.status in ("running", "created"))
                for one in found
                if not one.name.startswith(_DRAINING)
            ]

    def _mine(self) -> list[Container]:
        labels = {"label": [f"{_OWNER}={self._owner}", f"{_ROLE}=strategy-worker"]}
        found: list[Container] = self._client.containers.list(all=True, filters=labels)
        return found

    def start(self, name: str) -> None:
        with _told():
            self._client.containers.run(
                self._terms.image, name=name, detach=True, **self.description()
            )

    def description(self) -> dict[str, Any]:
        """As `containers.run` takes it: what a worker needs, and nothing more."""
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
            container.rename(f"{_DRAINING}{worker.name}")
            container.kill(signal="SIGTERM")

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
