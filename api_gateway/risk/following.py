"""Telling the shards of new limits, so that whoever set them is answered when they hold."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from redis.exceptions import RedisError

from api_gateway.errors import Refused
from shared.models.identifiers import AccountId
from shared.models.risk import FollowLimits, LimitsFollowed
from shared.redis.keys import ids_of_shards, shard_of
from shared.redis.requests import OrderRequests
from shared.service.request_context import current_request_id


class Followers:
    """The shards, each behind an id that leads to it."""

    def __init__(self, requests: OrderRequests, shards: int, timeout_s: float) -> None:
        self._requests = requests
        self._shards = shards
        self._timeout_s = timeout_s

    async def follow(self, version: int, accounts: Iterable[UUID] | None) -> None:
        """Until the shards of these accounts, or all, follow. Raises Refused when some don't say
        so in time; they read what is stored before they take commands again."""
        shards = {shard_of(each, self._shards) for each in accounts or ()}
        if accounts is None:
            shards = set(range(self._shards))
        prefix = f"{current_request_id() or 'gateway'}:{uuid4().hex[:16]}"
        asked = {f"{prefix}.{shard}": shard for shard in sorted(shards)}
        ids = ids_of_shards(self._shards)
        commands = [
            FollowLimits(
                request_id=request_id,
                reply_to=self._requests.reply_to,
                account_id=AccountId(ids[shard]),
                mode="paper",
                version=version,
            )
            for request_id, shard in asked.items()
        ]
        if not commands:
            return
        try:
            replies = await self._requests.ask_all(commands, self._timeout_s)
        except RedisError:
            replies = {}
        silent = [
            shard
            for request_id, shard in asked.items()
            if not isinstance(replies.get(request_id), LimitsFollowed)
        ]
        if silent:
            raise Refused(
                "limits_not_confirmed",
                "It is stored, but not all order processors have confirmed that they follow it: "
                "send the request again to ask them anew.",
                {"shards": silent},
            )
