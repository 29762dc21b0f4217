"""`python -m strategy_workers.launchers`: until it is told to end."""

import math
import signal
import socket
import sys
from functools import partial
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.config import InvalidSettingsError
from shared.database import make_engine
from shared.service.logs import configure_logs
from shared.utils.bell import Bell
from strategy_workers.launchers.launcher import Launcher, LauncherError
from strategy_workers.launchers.load import load_of
from strategy_workers.launchers.need import Bounds, Calm
from strategy_workers.launchers.processes import ProcessLauncher
from strategy_workers.launchers.scaling import Scaling
from strategy_workers.settings import LauncherSettings

log = structlog.get_logger()


def main() -> None:
    try:
        settings = LauncherSettings()
        launcher = launcher_of(settings)
    except (InvalidSettingsError, LauncherError) as error:
        sys.exit(str(error))
    configure_logs("launcher", settings.log_level)
    bell = Bell()
    told: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        bell.ring()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    engine = make_engine(settings)
    scaling = Scaling(
        launcher,
        partial(load_of, engine),
        Bounds(settings.workers_least, settings.workers_most, settings.worker_deployments),
        Calm(math.ceil(settings.worker_calm_s / settings.worker_look_s)),
    )
    try:
        while not told:
            try:
                scaling.look()
            except (LauncherError, SQLAlchemyError) as error:
                log.error("workers_not_looked_at", error=str(error)[:300])
            bell.wait(settings.worker_look_s)
    finally:
        if isinstance(launcher, ProcessLauncher):
            launcher.end(settings.drain_timeout_s)
        engine.dispose()


def launcher_of(settings: LauncherSettings) -> Launcher:
    """Raises LauncherError when what it needs isn't here."""
    try:
        match settings.worker_launcher:
            case "processes":
                return ProcessLauncher(environment=_own_port)
            case "docker":
                return _docker(settings)
            case "kubernetes":
                return _kubernetes(settings)
    except ModuleNotFoundError as error:
        raise LauncherError(
            f"WORKER_LAUNCHER={settings.worker_launcher} needs the package {error.name}:"
            " pip install trading-platform[launchers]"
        ) from error


def _docker(settings: LauncherSettings) -> Launcher:
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


def _kubernetes(settings: LauncherSettings) -> Launcher:
    from strategy_workers.launchers.cluster import KubernetesLauncher, connect
    from strategy_workers.launchers.pods import PodTerms

    terms = PodTerms(
        image=settings.worker_image,
        secret=settings.worker_secret or "",
        memory_mib=settings.worker_memory_mib,
        cpus=settings.worker_cpus,
        drain_timeout_s=settings.drain_timeout_s,
        log_level=settings.log_level,
        environment=settings.environment,
    )
    api = connect(settings.worker_kubeconfig)
    return KubernetesLauncher(api, settings.worker_namespace, settings.worker_owner, terms)


def _own_port() -> dict[str, str]:
    """Workers take deployments by lease; only the one that others call has a port of a name."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return {"STRATEGY_WORKERS_PORT": str(found.getsockname()[1])}


if __name__ == "__main__":
    main()
