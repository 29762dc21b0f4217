"""A real InfluxDB on free ports: a 1.x server, behind an nginx that maps the 2.x write path.

The nginx is configured by the very file that the containers' stand-in has.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from cli.embedded.processes import start_child, stop_child
from cli.embedded.servers import free_port

_ROOT = Path(__file__).parents[3]
_UNPACKED = _ROOT / ".venv" / "influxdb" / "usr"
_PROXY = _ROOT / "deploy" / "docker" / "standins" / "influxdb" / "nginx.conf"
_START_TIMEOUT_S = 30.0


def program(name: str) -> str | None:
    """Installed, or unpacked by tests/influxdb.sh."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, _UNPACKED.glob("*bin"))]
    return shutil.which(name, path=os.pathsep.join(places))


@dataclass
class InfluxDB:
    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Also again, with the data of before."""
        behind, rpc = free_port(), free_port()
        self.folder.mkdir(exist_ok=True)
        influxd, nginx = program("influxd"), program("nginx")
        assert influxd is not None
        assert nginx is not None
        environment = {
            **{f"INFLUXDB_{name}_DIR": str(self.folder / name) for name in ("DATA", "META")},
            "INFLUXDB_DATA_WAL_DIR": str(self.folder / "WAL"),
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{behind}",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{rpc}",
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
        }
        self._launch([influxd, "run", "-config", "/dev/null"], environment)
        proxy = self.folder / "nginx.conf"
        proxy.write_text(
            _PROXY.read_text()
            .replace("daemon off;", "daemon off; master_process off;")
            .replace("listen 8086;", f"listen 127.0.0.1:{self.port};")
            .replace("127.0.0.1:8087", f"127.0.0.1:{behind}")
            .replace("/tmp/", f"{self.folder}/")
        )
        self._launch([nginx, "-p", str(self.folder), "-e", "stderr", "-c", str(proxy)], {})
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            assert all(process.poll() is None for process in self.processes), "see influxdb.log"
            assert time.monotonic() < deadline, "InfluxDB did not answer in time"
            time.sleep(0.02)

    def stop(self) -> None:
        while self.processes:
            stop_child(self.processes.pop(), signal.SIGTERM, timeout_s=20)

    def create_database(self, name: str) -> None:
        self.ask(f'CREATE DATABASE "{name}"')

    def drop_database(self, name: str) -> None:
        self.ask(f'DROP DATABASE "{name}"')

    def ask(self, query: str, database: str = "") -> list[list[object]]:
        """Rows, by InfluxQL."""
        answer = httpx.post(
            f"{self.url}/query", params={"q": query, "db": database, "epoch": "ns"}, timeout=10
        )
        result = answer.raise_for_status().json()["results"][0]
        assert "error" not in result, result
        return [row for series in result.get("series", []) for row in series["values"]]

    def _launch(self, command: list[str], environment: dict[str, str]) -> None:
        log = self.folder / "influxdb.log"
        self.processes.append(
            start_child(
                command,
                log=log,
                on_parent_death=signal.SIGTERM,
                environment={**os.environ, **environment},
            )
        )

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ping", timeout=2).status_code == 204
        except httpx.TransportError:
            return False
