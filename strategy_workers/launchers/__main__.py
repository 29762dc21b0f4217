"""`python -m strategy_workers.launchers`: until it is told to end."""

import math
import signal
import socket
import threading
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.database import make_engine
from shared.service.logs import configure_logs
from strategy_workers.launchers.launcher import Launcher, LauncherError
from strategy_workers.launchers.load import load_of
from strategy_workers.launchers.need import Bounds, Calm
from strategy_workers.launchers.processes import ProcessLauncher
from strategy_workers.launchers.scaling import Scaling
from strategy_workers.settings import LauncherSettings

log = structlog.get_logger()


def main() -> None:
    settings = LauncherSettings()
    configure_logs("launcher", settings.log_level)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    engine = make_engine(settings)
    launcher = launcher_of(settings)
    scaling = Scaling(
        launcher,
        partial(load_of, engine),
        Bounds(settings.workers_least, settings.workers_most, settings.worker_deployments),
        Calm(math.ceil(settings.worker_calm_s / settings.worker_look_s)),
    )
    try:
        while not ending.is_set():
            try:
                scaling.look()
            except (LauncherError, SQLAlchemyError) as error:
                log.error("workers_not_looked_at", error=str(error)[:300])
            ending.wait(settings.worker_look_s)
    finally:
        if isinstance(launcher, ProcessLauncher):
            launcher.end(settings.drain_timeout_s)
        engine.dispose()


def launcher_of(settings: LauncherSettings) -> Launcher:
    if settings.worker_launcher == "processes":
        return ProcessLauncher(environment=_own_port)
    import docker

    from strategy_workers.launchers.containers import ContainerTerms, DockerLauncher

    terms = ContainerTerms(
        image=settings.worker_image,
        network=settings.worker_network,
        memory_mib=settings.worker_memory_mib,
        cpus=settings.worker_cpus,
        settings_file=settings.worker_settings_file,
        environment={"LOG_LEVEL": settings.log_level, "ENVIRONMENT": settings.environment},
    )
    return DockerLauncher(docker.from_env(), settings.worker_owner, terms)


def _own_port() -> dict[str, str]:
    """Workers take deployments by lease; only the one that others call has a port of a name."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return {"STRATEGY_WORKERS_PORT": str(found.getsockname()[1])}


if __name__ == "__main__":
    main()
