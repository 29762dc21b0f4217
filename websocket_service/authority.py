"""Who a client is and what it may follow, as the token and the database say it."""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.auth import Principal, TokenError, Tokens, account_access, ended_sessions
from shared.database.engine import DatabaseThread
from websocket_service.errors import ServiceAwayError
from websocket_service.protocol import Refused

log = structlog.get_logger()

T = TypeVar("T")

_ANSWER_TIMEOUT_S = 5.0


class Authority:
    """Raises ServiceAwayError from every question that the database does not answer in time."""

    def __init__(
        self,
        engine: Engine,
        thread: DatabaseThread,
        tokens: Tokens,
        session_timeout: timedelta,
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._tokens = tokens
        self._session_timeout = session_timeout

    async def sign_in(self, token: str) -> Principal | Refused:
        try:
            principal = self._tokens.verify(token)
        except TokenError as error:
            return Refused(error.code, str(error))
        if await self.ended([principal]):
            return Refused("session_ended", "The session has ended. Sign in again.")
        return principal

    async def ended(self, principals: Collection[Principal]) -> set[Principal]:
        """Those whose session is over."""
        return await self._ask(
            lambda connection: ended_sessions(connection, principals, self._session_timeout)
        )

    async def visible_accounts(
        self, principal: Principal, account_ids: Collection[UUID]
    ) -> set[UUID]:
        def ask(connection: Connection) -> set[UUID]:
            return {
                account_id
                for account_id in account_ids
                if account_access(connection, principal, account_id) is not None
            }

        return await self._ask(ask) if account_ids else set()

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.connect() as connection:
                return question(connection)

        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return await self._thread.run(run)
        except (DBAPIError, PoolTimeoutError, TimeoutError) as error:
            log.warning("database_away", error=repr(error))
            raise ServiceAwayError from error
