"""A provider's rate limit, kept by all engines together: a token bucket in Redis."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from market_data_engine.metrics import PROVIDER_RATE_WAITS
from market_data_engine.providers.configuration import RateLimit
from shared.redis.keys import provider_tokens

#: Tokens are as many as time has brought since they were last counted, by Redis' own clock. The
#: answer is how long to wait, in ms: a token is taken only when that is 0.
_TAKE = """
local rate_ms = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + now[2] / 1000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at_ms')
local tokens = burst
if kept[1] then
    local passed_ms = math.max(0, now_ms - tonumber(kept[2]))
    tokens = math.min(burst, tonumber(kept[1]) + passed_ms * rate_ms)
end
local wait_ms = 0
if tokens >= 1 then
    tokens = tokens - 1
else
    wait_ms = math.ceil((1 - tokens) / rate_ms)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at_ms', string.format('%.3f', now_ms))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate_ms) + 60000)
return wait_ms
"""
_LONGEST_NAP_S = 5.0


class RateLimits:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def take(self, provider: str, limit: RateLimit) -> float:
        """One request; 0 when it may go out now, else the seconds after which to ask again."""
        redis: Any = self._redis
        rate_ms = limit.requests_per_minute / 60_000
        key = provider_tokens(provider)
        wait_ms = await redis.eval(_TAKE, 1, key, repr(rate_ms), limit.burst)
        return float(wait_ms) / 1000

    async def wait(self, provider: str, limit: RateLimit) -> None:
        """Returns when a request may go out."""
        while wait_s := await self.take(provider, limit):
            pause_s = min(wait_s, _LONGEST_NAP_S)
            PROVIDER_RATE_WAITS.labels(provider).inc(pause_s)
            await asyncio.sleep(pause_s)
