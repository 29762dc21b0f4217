"""The six services, and the environment that makes them one platform on embedded servers."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Service:
    name: str
    #: From the base of the instance's ports.
    offset: int
    port_variable: str
    #: Where other services read its address; None when none of them calls it.
    url_variable: str | None
    #: Services of a lower stage stop first: they may still need the answers of the others.
    stop_stage: int

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.name]


SERVICES = (
    Service("api_gateway", 0, "API_GATEWAY_PORT", None, 0),
    Service("websocket_service", 1, "WEBSOCKET_PORT", None, 0),
    Service("market_data_engine", 2, "MARKET_DATA_PORT", "MARKET_DATA_URL", 1),
    Service("order_processor", 3, "ORDER_PROCESSOR_PORT", "ORDER_PROCESSOR_URL", 2),
    Service("analytics_service", 4, "ANALYTICS_PORT", "ANALYTICS_URL", 2),
    Service("strategy_workers", 5, "STRATEGY_WORKERS_PORT", "STRATEGY_WORKERS_URL", 1),
)


@dataclass(frozen=True)
class Ports:
    base: int
    postgres: int
    valkey: int

    def of(self, service: Service) -> int:
        return self.base + service.offset


def operator_settings(environment: Mapping[str, str], folder: Path = CHECKOUT) -> dict[str, str]:
    """What the operator set: `.env`, overridden by the environment, as the services see it."""
    from_file = dotenv_values(folder / ".env") if (folder / ".env").exists() else {}
    return {name: value for name, value in from_file.items() if value is not None} | dict(
        environment
    )


def service_environment(
    secrets: Mapping[str, str], ports: Ports, market_data: Path, operator: Mapping[str, str]
) -> dict[str, str]:
    """Environment of every service.

    Addresses and passwords of the embedded servers are the instance's own and can't be
    overridden; everything else can.
    """
    defaults = {
        "JWT_SECRET": secrets["JWT_SECRET"],
        "INTERNAL_TOKEN": secrets["INTERNAL_TOKEN"],
        "ADMIN_EMAIL": secrets["ADMIN_EMAIL"],
        "ADMIN_PASSWORD": secrets["ADMIN_PASSWORD"],
        "MARKET_DATA_FOLDER": str(market_data),
        "CALENDAR_FOLDER": str(market_data / "calendars"),
        # Six Python processes on a small machine: fewer allocator arenas, less memory.
        "MALLOC_ARENA_MAX": "2",
    }
    fixed = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(ports.postgres),
        "DB_NAME": "trading",
        "DB_USER": "postgres",
        "DB_PASSWORD": secrets["DB_PASSWORD"],
        "USE_PGBOUNCER": "false",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(ports.valkey),
        "REDIS_PASSWORD": secrets["REDIS_PASSWORD"],
        "PYTHONUNBUFFERED": "1",
    }
    for service in SERVICES:
        fixed[service.port_variable] = str(ports.of(service))
        if service.url_variable is not None:
            fixed[service.url_variable] = f"http://127.0.0.1:{ports.of(service)}"
    missing = {name: value for name, value in defaults.items() if not operator.get(name)}
    return os.environ | missing | fixed
