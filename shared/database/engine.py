"""The SQLAlchemy engine, and one thread to run it from asyncio code.

psycopg2 is synchronous. FastAPI runs plain `def` handlers in its thread pool; the engines
(order processor, workers, market data) call the database from one `DatabaseThread`, so
their statements keep their order and nothing blocks the event loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from sqlalchemy import Engine, create_engine

from shared.config import Settings

P = ParamSpec("P")
T = TypeVar("T")

#: A server that is silent is given up after seconds; the system's defaults are minutes to hours.
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def make_engine(settings: Settings) -> Engine:
    """A pooled engine. Connects at first use; safe behind PgBouncer in transaction mode."""
    return create_engine(
        settings.database_url,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout_s,
        pool_recycle=settings.db_pool_recycle_s,
        pool_pre_ping=True,
        connect_args=CONNECTION,
    )


class DatabaseThread:
    """Runs plain functions one after another in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, or its exception. A started call can't be cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: work(*args, **kwargs))

    def close(self) -> None:
        self._executor.shutdown(wait=True)
