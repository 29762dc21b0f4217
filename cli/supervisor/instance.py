"""Puts an instance together and runs it: lock, secrets, ports, servers, supervisor."""

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from cli.embedded.homes import PostgresHome, postgres_home, remove_postgres_home
from cli.embedded.servers import Postgres, Valkey
from cli.errors import BadInputError
from cli.supervisor.folder import DataFolder, InstanceLock, read_json, write_json
from cli.supervisor.logs import bound_logs
from cli.supervisor.member import Member
from cli.supervisor.ports import PortClaims
from cli.supervisor.secrets import load_or_make_secrets
from cli.supervisor.services import (
    CHECKOUT,
    Ports,
    operator_settings,
    service_environment,
)
from cli.supervisor.supervisor import Supervisor

_LOCK_TIMEOUT_S = 20.0
_DEFAULT_DRAIN_S = 10.0


def default_data_folder() -> Path:
    """`TRADING_DATA_DIR`, or `.data` in the checkout."""
    return Path(os.environ.get("TRADING_DATA_DIR") or CHECKOUT / ".data")


@dataclass(frozen=True)
class Summary:
    """What the user must know once everything is ready."""

    url: str
    admin_email: str
    #: Where the secrets lie, the first admin's password among them.
    secrets: str
    data: str
    logs: str
    #: False when the operator set ADMIN_PASSWORD.
    password_is_generated: bool
    #: Why Postgres' data lies elsewhere; None when it doesn't.
    postgres_elsewhere: str | None
    start_s: float = 0.0
    #: Only at the first start.
    admin_password: str | None = None


class View(Protocol):
    """What `up` shows."""

    def members(self, members: Sequence[Member]) -> None: ...

    def ready(self, summary: Summary) -> None: ...


def run_instance(folder: DataFolder, *, port_base: int | None, ephemeral: bool, view: View) -> None:
    """Until it is asked to stop. `ephemeral`: its data goes with it."""
    began = time.monotonic()
    folder.prepare()
    with InstanceLock(folder) as lock, PortClaims() as claims, contextlib.ExitStack() as afterwards:
        lock.take(_LOCK_TIMEOUT_S)
        folder.state.unlink(missing_ok=True)
        home = postgres_home(folder.path)
        if ephemeral:
            afterwards.callback(_remove_data, folder, home)
        operator = operator_settings(os.environ)
        secrets, made_now = load_or_make_secrets(folder.secrets)
        ports = _choose_ports(folder, claims, port_base, home)
        bound_logs(folder.logs)
        environment = service_environment(secrets, ports, folder.market_data, operator)
        summary = Summary(
            url=f"http://127.0.0.1:{ports.base}",
            admin_email=operator.get("ADMIN_EMAIL") or secrets["ADMIN_EMAIL"],
            secrets=str(folder.secrets),
            data=str(folder.path),
            logs=str(folder.logs),
            password_is_generated=not operator.get("ADMIN_PASSWORD"),
            postgres_elsewhere=None if home.reason is None else f"{home.data}, as {home.reason}",
        )
        if made_now and summary.password_is_generated:
            summary = replace(summary, admin_password=secrets["ADMIN_PASSWORD"])
        publish = _StatePublisher(folder, ports, summary, view, began)
        supervisor = Supervisor(
            Postgres(
                home.data,
                ports.postgres,
                secrets["DB_PASSWORD"],
                log_folder=folder.logs,
                programs=home.programs,
                inherit=[lock.fd],
            ),
            Valkey(
                folder.valkey,
                ports.valkey,
                secrets["REDIS_PASSWORD"],
                log_folder=folder.logs,
                inherit=[lock.fd],
            ),
            ports,
            folder.logs,
            environment,
            lock.fd,
            _drain_timeout_s(operator.get("DRAIN_TIMEOUT_S")),
            on_change=publish.members,
            on_ready=publish.ready,
        )
        afterwards.callback(folder.state.unlink, missing_ok=True)
        supervisor.run()
        if ephemeral:  # after a failure the logs stay: its message names one of them
            afterwards.callback(shutil.rmtree, folder.path, ignore_errors=True)


class _StatePublisher:
    """Keeps `state.json` true, and passes the news on to the view."""

    def __init__(
        self, folder: DataFolder, ports: Ports, summary: Summary, view: View, began: float
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._summary = summary
        self._view = view
        self._began = began
        self._started_at = time.time()
        self._ready = False
        self._members: Sequence[Member] = ()

    def members(self, members: Sequence[Member]) -> None:
        self._members = members
        self._write()
        self._view.members(members)

    def ready(self) -> None:
        self._ready = True
        self._write()
        took = time.monotonic() - self._began
        self._view.ready(replace(self._summary, start_s=took))

    def _write(self) -> None:
        summary = asdict(self._summary)
        del summary["start_s"], summary["admin_password"]
        write_json(
            self._folder.state,
            {
                "supervisor_pid": os.getpid(),
                "started_at": self._started_at,
                #: All services have been ready; from then on each speaks for itself.
                "started": self._ready,
                "url": self._summary.url,
                "data": str(self._folder.path),
                "summary": summary,
                "members": {
                    member.name: {
                        "state": str(member.state),
                        "pid": member.pid,
                        "port": member.port,
                        "restarts": member.restarts,
                        "last_end": member.last_end,
                        "log": str(member.log),
                    }
                    for member in self._members
                },
            },
        )


def _choose_ports(
    folder: DataFolder, claims: PortClaims, port_base: int | None, home: PostgresHome
) -> Ports:
    remembered = read_json(folder.instance) or {}
    ports = Ports(
        base=claims.services(port_base, remembered.get("port_base")),
        postgres=claims.server(remembered.get("postgres_port")),
        valkey=claims.server(remembered.get("valkey_port")),
    )
    write_json(
        folder.instance,
        {
            "port_base": ports.base,
            "postgres_port": ports.postgres,
            "valkey_port": ports.valkey,
            "postgres_folder": str(home.data),
        },
    )
    return ports


def _drain_timeout_s(text: str | None) -> float:
    try:
        return float(text) if text else _DEFAULT_DRAIN_S
    except ValueError as error:
        raise BadInputError(f"DRAIN_TIMEOUT_S must be a number of seconds, not {text}") from error


def _remove_data(folder: DataFolder, home: PostgresHome) -> None:
    remove_postgres_home(home)
    for path in (folder.valkey, folder.market_data):
        shutil.rmtree(path, ignore_errors=True)
