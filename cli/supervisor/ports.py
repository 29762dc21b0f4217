"""Ports of an instance: claimed, so that instances that start together don't choose the same.

A claim is an abstract Unix socket: the kernel frees it with its process, however that ends.
"""

import socket
from types import TracebackType
from typing import Self

from cli.embedded.servers import free_port, is_free
from cli.errors import BadInputError, CliError

DEFAULT_BASE = 8000
#: Services stand on `base`, `base + 1`, …
BLOCK = 6
#: Ports above are given out by the kernel to anybody's outgoing connections.
LAST_PORT = 32_767


def check_base(base: int) -> None:
    """Raises BadInputError when no services can stand there."""
    if not 1024 <= base <= LAST_PORT - BLOCK + 1:
        raise BadInputError(f"--port-base must be from 1024 to {LAST_PORT - BLOCK + 1}, not {base}")


class PortClaims:
    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for claim in self._held:
            claim.close()

    def block(self, base: int) -> bool:
        """Claim the ports of all services from `base` on; all or none."""
        taken: list[socket.socket] = []
        for port in range(base, base + BLOCK):
            claim = _claim(port)
            if claim is None:
                for other in taken:
                    other.close()
                return False
            taken.append(claim)
        self._held += taken
        return True

    def services(self, asked: int | None, remembered: int | None) -> int:
        """Base of the services' ports: the one asked for, or else the first that is free."""
        if asked is not None:
            check_base(asked)
            if not self.block(asked):
                raise CliError(f"ports {asked} to {asked + BLOCK - 1} are not all free")
            return asked
        bases = [DEFAULT_BASE + step for step in range(0, 2000, 10)]
        for base in bases if remembered is None else [remembered, *bases]:
            if self.block(base):
                return base
        raise CliError("no free block of ports between 8000 and 10000; choose one with --port-base")

    def server(self, remembered: int | None) -> int:
        """A port for Postgres or Valkey: the remembered one when it is still free."""
        for port in [remembered] if remembered is not None else []:
            claim = _claim(port)
            if claim is not None:
                self._held.append(claim)
                return port
        for _ in range(50):
            port = free_port()
            claim = _claim(port)
            if claim is not None:
                self._held.append(claim)
                return port
        raise CliError("no free port between 20000 and 32000")


def _claim(port: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0trading-platform-port-{port}")
    except OSError:
        claim.close()
        return None
    if not is_free(port):
        claim.close()
        return None
    return claim
