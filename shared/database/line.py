"""One connection to Postgres that the event loop itself waits for.

For who commits many times a second and has little to say each time: a thread would have to get
hold of the interpreter again after every statement, while the loop keeps it busy. This is
psycopg2's asynchronous mode: https://www.psycopg.org/docs/advanced.html#asynchronous-support

A message of several statements is one round trip and one transaction, all or nothing: Postgres
runs what comes in one simple query as an implicit transaction block. No lock outlives it, whatever
becomes of this process. https://www.postgresql.org/docs/current/protocol-flow.html
"""

import asyncio
import re
import select
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Engine

from shared.database.engine import CONNECTION

_CONNECT_TIMEOUT_S = 5.0


class Line:
    """Use it from one task at a time. Connects at first use, and again after a failure."""

    def __init__(self, engine: Engine) -> None:
        _, parameters = engine.dialect.create_connect_args(engine.url)
        self._parameters = {**CONNECTION, **parameters}
        self._connection: Any = None

    async def execute(self, message: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Rows of the last statement, when it gives any. Values are named as SQLAlchemy names them
        (`:name`), and put into the text by psycopg2.

        Raises psycopg2.Error. After a lost connection or a cancellation it isn't known whether the
        message was carried out.
        """
        connection = await self._ready()
        try:
            cursor = connection.cursor()
            cursor.execute(_pyformat(message), values)
            await _wait(connection)
            return cursor.fetchall() if cursor.description else ()
        except psycopg2.Error:
            if connection.closed or connection.isexecuting():
                self.close()
            raise
        except BaseException:
            self.close()  # an answer may still come; nobody must take it for that of the next
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ready(self) -> Any:
        if self._connection is not None and _has_news(self._connection):
            self.close()
        if self._connection is None:
            connection = psycopg2.connect(**self._parameters, async_=True)
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    await _wait(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _has_news(connection: Any) -> bool:
    """Whether a server that was asked nothing has spoken: it says goodbye."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _wait(connection: Any) -> None:
    loop = asyncio.get_running_loop()
    while (state := connection.poll()) != extensions.POLL_OK:
        file = connection.fileno()
        ready = loop.create_future()
        watch, unwatch = (
            (loop.add_reader, loop.remove_reader)
            if state == extensions.POLL_READ
            else (loop.add_writer, loop.remove_writer)
        )
        watch(file, _set, ready)
        try:
            await ready
        finally:
            unwatch(file)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


@lru_cache(maxsize=512)
def _pyformat(message: str) -> str:
    """`:name`, but not `::type`, as psycopg2 wants it."""
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", message.replace("%", "%%"))
