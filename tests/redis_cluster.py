"""A Redis Cluster of three nodes on free ports."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from cli.embedded.processes import start_child
from cli.embedded.servers import Valkey, _valkey_program, free_port

_SLOTS = 16_384
_START_TIMEOUT_S = 20.0


class ClusterNode(Valkey):
    def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = start_child(
            [
                str(_valkey_program()), "--bind", "127.0.0.1", "--port", str(self.port),
                "--dir", str(self.folder), "--requirepass", self.password,
                "--appendonly", "yes", "--save", "", "--daemonize", "no",
                "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                "--cluster-port", str(self.port + 1), "--cluster-node-timeout", "2000",
            ],
            log=self.log,
            on_parent_death=15,
        )  # fmt: skip

    def flush(self) -> None:
        assert self.ask("FLUSHALL") == b"+OK\r\n"

    def ask(self, command: str) -> bytes:
        """All of the answer that comes at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=3) as connection:
            connection.sendall(f"AUTH {self.password}\r\n".encode())
            assert connection.recv(64) == b"+OK\r\n"
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(65536)


def start_cluster(folder: Path, password: str, nodes: int = 3) -> list[ClusterNode]:
    """Returns when every node knows of all slots."""
    made = [
        ClusterNode(folder / f"node-{number}", free_port(), password) for number in range(nodes)
    ]
    for node in made:
        node.start()
    for number, node in enumerate(made):
        first, last = _SLOTS * number // nodes, _SLOTS * (number + 1) // nodes - 1
        assert node.ask(f"CLUSTER ADDSLOTSRANGE {first} {last}") == b"+OK\r\n"
        meet = f"CLUSTER MEET 127.0.0.1 {node.port} {node.port + 1}"
        assert made[0].ask(meet) == b"+OK\r\n"
    wait_until_whole(made)
    return made


def wait_until_whole(nodes: Sequence[ClusterNode]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    for node in nodes:
        while True:
            info = node.ask("CLUSTER INFO").decode()
            wanted = (
                "cluster_state:ok\r\n",
                f"cluster_slots_ok:{_SLOTS}\r\n",
                f"cluster_known_nodes:{len(nodes)}\r\n",
            )
            if all(line in info for line in wanted):
                break
            assert time.monotonic() < deadline, info
            time.sleep(0.05)
