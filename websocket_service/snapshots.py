"""Where a topic's present state comes from, before its frames."""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.models.topics import (
    AccountTopic,
    CandlesTopic,
    NotificationsTopic,
    TimeTopic,
    Topic,
)
from shared.redis.topics import frames_after, last_seq
from websocket_service.errors import SubscriptionRefusedError, unavailable
from websocket_service.protocol import snapshot_message

log = structlog.get_logger()


@dataclass(frozen=True)
class Snapshot:
    """The state after frame `seq`, as the message that clients get."""

    seq: int
    message: bytes


class _CandlesAnswer(msgspec.Struct, frozen=True):
    seq: int
    candles: msgspec.Raw
    forming: msgspec.Raw


class _AccountAnswer(msgspec.Struct, frozen=True):
    seq: int
    data: msgspec.Raw


_candles_decoder = msgspec.json.Decoder(_CandlesAnswer)
_account_decoder = msgspec.json.Decoder(_AccountAnswer)


class Snapshots:
    """Asks the owner of a topic; callers that come while it is being asked share the answer."""

    def __init__(
        self, redis: Redis, market_data: httpx.AsyncClient, orders: httpx.AsyncClient
    ) -> None:
        self._redis = redis
        self._market_data = market_data
        self._orders = orders
        self._under_way: dict[str, asyncio.Task[Snapshot]] = {}

    async def fetch(self, name: str, topic: Topic) -> Snapshot:
        """Raises SubscriptionRefusedError when there is none to be had."""
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._fetch(name, topic), name=f"snapshot-{name}")
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await asyncio.shield(task)  # one caller that leaves takes it from nobody else

    async def _fetch(self, name: str, topic: Topic) -> Snapshot:
        try:
            seq, data = await self._ask(topic, name)
        except (httpx.HTTPError, RedisError, msgspec.MsgspecError) as error:
            log.warning("snapshot_unavailable", topic=name, error=repr(error))
            raise unavailable() from error
        return Snapshot(seq, snapshot_message(name, seq, data))

    async def _ask(self, topic: Topic, name: str) -> tuple[int, bytes]:
        match topic:
            case CandlesTopic(symbol, timeframe):
                path = f"/internal/candles/{quote(symbol, safe='')}/snapshot"
                body = await _get(self._market_data, path, {"timeframe": timeframe})
                candles = _candles_decoder.decode(body)
                data = b'{"candles":%b,"forming":%b}' % (candles.candles, candles.forming)
                return candles.seq, data
            case AccountTopic(account_id, mode, kind):
                path = f"/internal/snapshots/{account_id}/{mode}/{kind}"
                answer = _account_decoder.decode(await _get(self._orders, path, {}))
                return answer.seq, bytes(answer.data)
            case NotificationsTopic(user_id):
                path = f"/internal/notifications/{user_id}/snapshot"
                answer = _account_decoder.decode(await _get(self._orders, path, {}))
                return answer.seq, bytes(answer.data)
            case TimeTopic():
                return await self._newest_frame(name)

    async def _newest_frame(self, name: str) -> tuple[int, bytes]:
        """Market time has no other state than its last mark; null before the first."""
        frames = await frames_after(self._redis, name, await last_seq(self._redis, name) - 1)
        if not frames:
            return 0, b"null"
        answer = _account_decoder.decode(frames[-1][1])
        return answer.seq, bytes(answer.data)


async def _get(client: httpx.AsyncClient, path: str, params: dict[str, str]) -> bytes:
    response = await client.get(path, params=params)
    if response.status_code in (404, 422):
        raise SubscriptionRefusedError("not_found", "There is no such topic.")
    response.raise_for_status()
    return response.content
