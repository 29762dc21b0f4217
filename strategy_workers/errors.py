"""What can go wrong here, and who reacts.

InvalidParametersError (sdk)   values that a strategy can't take     → caller's fault: 422
StrategyError (sdk)            a hook asked for nonsense             ┐ the deployment is paused,
HookError (runtime)            a hook raised anything                ┘ all others go on
AnswerOverdueError (shared)    an order's outcome is unknown         → asked again, same order id
redis and database errors      a store doesn't answer                → tried again until it does
a lease that is lost           another worker goes on with it        → dropped from memory
anything else in the runtime   a fault of ours                       → memory is thrown away and
                                                                       restored from snapshots
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = structlog.get_logger()

T = TypeVar("T")

STORE_AWAY = (RedisError, OperationalError, InterfaceError, PoolTimeoutError)
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


async def until_done(what: str, attempt: Callable[[], Awaitable[T]]) -> T:
    """The result of `attempt`, tried again while a store is away. It must be safe to repeat."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except STORE_AWAY as error:
            log.warning("store_away", during=what, error=repr(error)[:300])
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
