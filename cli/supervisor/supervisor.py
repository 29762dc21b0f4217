"""Starts an instance, keeps it running, and stops it so that nothing is left behind.

Everything is a direct child, started from the main thread: when this process dies, however,
the kernel ends the children. Their data is safe against that.
"""

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from cli.embedded.processes import start_child, stop_child
from cli.embedded.servers import Postgres, ServerStartError, Valkey
from cli.errors import CliError
from cli.supervisor.forking import fork_module, import_common
from cli.supervisor.logs import bound_logs, last_complaint
from cli.supervisor.member import Member, MemberState, Process
from cli.supervisor.schema import head_revision, known_revisions
from cli.supervisor.services import CHECKOUT, SERVICES, Ports, Service
from shared.utils.bell import Bell

_START_TIMEOUT_S = 60.0
#: A service that ends this often before all were ready once doesn't start at all.
_START_ATTEMPTS = 2
_PROBE_STARTING_S = 0.1
_PROBE_READY_S = 5.0
_PROBE_TIMEOUT_S = 3.0
_LOG_CHECK_S = 30.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

OnChange = Callable[[Sequence[Member]], None]


class StopRequestedError(Exception):
    """SIGTERM or Ctrl-C came while the platform was starting."""


class Supervisor:
    """`run()` returns after an ordered stop; raises CliError when the platform can't start."""

    def __init__(
        self,
        postgres: Postgres,
        valkey: Valkey,
        ports: Ports,
        logs: Path,
        environment: Mapping[str, str],
        lock_fd: int,
        drain_timeout_s: float,
        on_change: OnChange,
        on_ready: Callable[[], None],
    ) -> None:
        self._postgres = postgres
        self._valkey = valkey
        self._logs = logs
        self._environment = environment
        self._lock_fd = lock_fd
        self._drain_timeout_s = drain_timeout_s
        self._on_change = on_change
        self._on_ready = on_ready
        self._servers = [
            Member(
                "postgres", ports.postgres, postgres.log, self._launch_postgres, postgres.answers
            ),
            Member("valkey", ports.valkey, valkey.log, self._launch_valkey, valkey.answers),
        ]
        self._services = [self._service_member(service, ports.of(service)) for service in SERVICES]
        self._stages = {service.name: service.stop_stage for service in SERVICES}
        self._probes: dict[str, Future[bool]] = {}
        self._probed_at: dict[str, float] = {}
        self._shown: list[tuple[object, ...]] = []
        self._stop_signals = 0
        self._bell = Bell()
        #: None while services are still to be forked: that takes a process with one thread.
        self._threads: ThreadPoolExecutor | None = None

    @property
    def _members(self) -> list[Member]:
        return self._servers + self._services

    def run(self) -> None:
        previous = {number: signal.signal(number, self._note_signal) for number in _SIGNALS}
        try:
            self._start()
            self._on_ready()
            self._watch()
        except StopRequestedError:
            pass
        finally:
            self._stop()
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._bell.close()

    # --- starting ---------------------------------------------------------------------------

    def _start(self) -> None:
        for server in self._servers:
            server.start()
        self._show()
        import_common()
        self._await_ready(self._servers)
        self._postgres.create_database("trading")
        self._migrate()
        for service in self._services:
            service.start()
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe")
        self._await_ready(self._services)

    def _await_ready(self, members: Sequence[Member]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not all(member.state is MemberState.READY for member in members):
            self._tick()
            for member in members:
                if member.restarts >= _START_ATTEMPTS:
                    raise CliError(
                        f"{member.name} does not start ({member.last_end}): "
                        f"{last_complaint(member.log)}; see {member.log}"
                    )
            if time.monotonic() > deadline:
                late = [member for member in members if member.state is not MemberState.READY]
                names = ", ".join(member.name for member in late)
                raise CliError(
                    f"not ready after {_START_TIMEOUT_S:.0f} s: {names}; see {late[0].log}"
                )
            self._pause(0.02)

    def _migrate(self) -> None:
        """In a process of its own, and only when there is something to do: it costs a second."""
        revision = self._postgres.schema_revision("trading")
        if revision == head_revision():
            return
        if revision is not None and revision not in known_revisions():
            raise CliError(
                f"the database is at schema revision {revision}, which this version does not know: "
                "it was made by a newer one"
            )
        log = self._logs / "migrate.log"
        process = self._child([sys.executable, "-m", "shared.database.migrate"], log)
        while process.poll() is None:
            try:
                self._pause(0.05)
            except StopRequestedError:
                stop_child(process, signal.SIGTERM, timeout_s=5)
                raise
        if process.returncode != 0:
            raise CliError(f"the database can't be migrated: {last_complaint(log)}; see {log}")

    def _launch_postgres(self) -> subprocess.Popen[bytes]:
        self._postgres.launch()
        assert self._postgres.process is not None
        return self._postgres.process

    def _launch_valkey(self) -> subprocess.Popen[bytes]:
        self._valkey.launch()
        assert self._valkey.process is not None
        return self._valkey.process

    def _service_member(self, service: Service, port: int) -> Member:
        log = self._logs / f"{service.name}.log"

        def launch() -> Process:
            if self._threads is not None:
                return self._child(service.command, log)
            return fork_module(
                service.name,
                log=log,
                environment=self._environment,
                folder=CHECKOUT,
                ignore=_SIGNALS,
            )

        return Member(service.name, port, log, launch, lambda: _is_ready(port))

    def _child(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        # What a service owes its users is durable before it answers, so when the supervisor
        # is killed a kill is safe, and certain.
        return start_child(
            command,
            log=log,
            on_parent_death=signal.SIGKILL,
            environment=self._environment,
            inherit=[self._lock_fd],
            folder=CHECKOUT,
        )

    # --- running ----------------------------------------------------------------------------

    def _watch(self) -> None:
        logs_checked_at = time.monotonic()
        try:
            while True:
                self._tick()
                if time.monotonic() - logs_checked_at > _LOG_CHECK_S:
                    bound_logs(self._logs)
                    logs_checked_at = time.monotonic()
                busy = any(member.state is not MemberState.READY for member in self._members)
                self._pause(0.05 if busy else 0.5)
        except StopRequestedError:
            return

    def _tick(self) -> None:
        """One look at every member: restart what ended, ask the others whether they are ready."""
        now = time.monotonic()
        for member in self._members:
            if member.state is MemberState.WAITING:
                continue
            if member.process is None:
                if now >= member.next_launch_at:
                    self._restart(member)
                continue
            code = member.process.poll()
            if code is not None:
                member.note_end(f"exit code {code}" if code >= 0 else f"signal {-code}")
                self._probes.pop(member.name, None)
                continue
            self._probe(member, now)
        self._show()

    def _restart(self, member: Member) -> None:
        try:
            member.start()
        except (OSError, ServerStartError) as error:
            member.note_end(str(error))

    def _probe(self, member: Member, now: float) -> None:
        if self._threads is None:
            member.note_probe(member.probe())
            return
        pending = self._probes.get(member.name)
        if pending is not None:
            if pending.done():
                del self._probes[member.name]
                member.note_probe(pending.result())
            return
        every_s = _PROBE_READY_S if member.state is MemberState.READY else _PROBE_STARTING_S
        if now - self._probed_at.get(member.name, 0.0) >= every_s:
            self._probed_at[member.name] = now
            self._probes[member.name] = self._threads.submit(member.probe)

    def _show(self) -> None:
        current: list[tuple[object, ...]] = [
            (member.name, member.state, member.pid, member.restarts) for member in self._members
        ]
        if current != self._shown:
            self._shown = current
            self._on_change(self._members)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stop_signals += 1
        self._bell.ring()

    def _pause(self, timeout_s: float) -> None:
        """Until something happens; raises StopRequestedError when that is a request to stop."""
        if not self._stop_signals:
            self._bell.wait(timeout_s)
        if self._stop_signals:
            raise StopRequestedError

    # --- stopping ---------------------------------------------------------------------------

    def _stop(self) -> None:
        """Services drain in stages, then the servers end. A second signal cuts the drain short."""
        asked = self._stop_signals
        for stage in sorted(set(self._stages.values())):
            group = [member for member in self._services if self._stages[member.name] == stage]
            for member in group:
                if member.process is not None and member.process.poll() is None:
                    member.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + self._drain_timeout_s + 3
            while any(_runs(member) for member in group) and time.monotonic() < deadline:
                if self._stop_signals > max(asked, 1):
                    break
                self._bell.wait(0.05)
            for member in group:
                self._end(member)
        valkey, postgres = self._servers[1], self._servers[0]
        for member, stop in ((valkey, self._valkey.stop), (postgres, self._postgres.stop)):
            if member.process is not None:
                stop()
            member.process, member.state = None, MemberState.STOPPED
            self._show()

    def _end(self, member: Member) -> None:
        if member.process is not None:
            if _runs(member):
                member.process.kill()
            member.process.wait()
        member.process, member.state = None, MemberState.STOPPED
        self._show()


def _runs(member: Member) -> bool:
    return member.process is not None and member.process.poll() is None


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
