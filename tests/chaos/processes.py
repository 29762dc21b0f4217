"""Services as an operator starts them, with what they say kept for who looks into a failure."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cli.embedded.servers import free_port
from shared.config import Settings

_END_TIMEOUT_S = 30


def environment_of(settings: Settings) -> dict[str, str]:
    password = settings.redis_password
    return {
        "ENVIRONMENT": "test",
        "DB_PORT": str(settings.db_port),
        "DB_NAME": settings.db_name,
        "DB_PASSWORD": settings.db_password.get_secret_value(),
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_CLUSTER": str(settings.redis_cluster),
        "REDIS_PASSWORD": password.get_secret_value() if password else "",
        "LEASE_DURATION_S": str(settings.lease_duration_s),
        "ORDER_SHARDS": str(settings.order_shards),
    }


class ServiceProcess:
    def __init__(self, module: str, port_name: str, log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self._module = module
        self._log = log
        self._environment = os.environ | environment | {port_name: str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(_END_TIMEOUT_S)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.running:
            self.kill()
