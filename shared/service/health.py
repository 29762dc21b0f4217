"""Liveness and readiness. Ready means: every dependency answered within its time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from sqlalchemy import Engine, text

log = structlog.get_logger()

Check = Callable[[], Awaitable[object]]
_CHECK_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Readiness:
    ready: bool
    #: Dependency → `ok`, or what is wrong.
    dependencies: Mapping[str, str]


async def check_readiness(checks: Mapping[str, Check]) -> Readiness:
    async def one(name: str, check: Check) -> tuple[str, str]:
        try:
            await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - any failure means: not ready, and why
            log.warning("dependency_not_ready", dependency=name, error=repr(error))
            return name, type(error).__name__
        return name, "ok"

    results = dict(await asyncio.gather(*(one(*item) for item in checks.items())))
    return Readiness(all(value == "ok" for value in results.values()), results)


def postgres_check(engine: Engine) -> Check:
    def ask() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    return lambda: asyncio.to_thread(ask)


def redis_check(redis: Redis) -> Check:
    async def ask() -> None:
        await redis.ping()

    return ask
