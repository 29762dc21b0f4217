"""The client is loaded when it is asked for: backtests compare stream ids, and need no Redis."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.redis.client import make_redis

__all__ = ["make_redis"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from shared.redis.client import make_redis

    return make_redis
