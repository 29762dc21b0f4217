"""Ports for platforms that tests start beside each other."""

from cli.embedded.servers import free_port, is_free
from cli.supervisor.ports import BLOCK


def free_port_base() -> int:
    """First of a block of ports that are all free now: one for each service."""
    while True:
        base = free_port() // 10 * 10
        if all(is_free(port) for port in range(base, base + BLOCK)):
            return base
