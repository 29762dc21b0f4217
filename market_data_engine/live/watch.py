"""Keeps the table of silent symbols true: strategies that depend on one wait."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.live.notices import tell_of_return, tell_of_silence
from market_data_engine.live.silence import Silence, Silent
from shared.database import DatabaseThread
from shared.database.tables import SilentSymbolRow

log = structlog.get_logger()

T = TypeVar("T")

_LOOK_EVERY_S = 1.0


class SilenceWatch:
    """While Postgres is away nothing changes there; the run goes on."""

    def __init__(self, engine: Engine, thread: DatabaseThread, stale_s: float) -> None:
        self._engine = engine
        self._thread = thread
        self.stale_s = stale_s

    async def keep(self, silence: Silence) -> None:
        """Until cancelled. What is silent then stays so for whoever looks next."""
        stored: dict[str, Silent] | None = None
        while True:
            try:
                if stored is None:
                    stored = await self._thread.run(self._in_transaction, _known)
                    silence.go_on(stored)
                silent = silence.look(time.monotonic(), time.time_ns())
                if silent != stored:
                    await self._thread.run(self._in_transaction, _storing(stored, silent))
                    _log(stored, silent)
                    stored = silent
            except SQLAlchemyError as error:
                log.warning("silence_not_stored", error=repr(error))
            await asyncio.sleep(min(_LOOK_EVERY_S, self.stale_s / 4))

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)


def forget_others(connection: Connection, followed: Collection[str]) -> None:
    """A run begins: nobody waits for what it doesn't follow live."""
    connection.execute(delete(SilentSymbolRow).where(SilentSymbolRow.symbol.not_in(list(followed))))


def _known(connection: Connection) -> dict[str, Silent]:
    return {
        row.symbol: Silent(row.feed, row.since, row.reason)
        for row in connection.execute(select(SilentSymbolRow.__table__))
    }


def _storing(
    before: Mapping[str, Silent], now: Mapping[str, Silent]
) -> Callable[[Connection], None]:
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))

    def work(connection: Connection) -> None:
        connection.execute(delete(SilentSymbolRow).where(SilentSymbolRow.symbol.in_(changed)))
        rows = [
            {
                "symbol": name,
                "feed": now[name].feed,
                "since": now[name].since,
                "reason": now[name].reason,
            }
            for name in changed
            if name in now
        ]
        if rows:
            connection.execute(insert(SilentSymbolRow), rows)
        tell_of_silence(connection, before, now)
        tell_of_return(connection, before.keys() - now.keys())

    return work


def _log(before: Mapping[str, Silent], now: Mapping[str, Silent]) -> None:
    for reason in {one.reason for name, one in now.items() if name not in before}:
        log.warning("feed_silent", reason=reason)
    if before.keys() - now.keys():
        log.info("feed_heard_again", symbols=sorted(before.keys() - now.keys()))
