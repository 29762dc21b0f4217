"""`/internal/snapshots`: for the websocket service, before it streams a topic's frames."""

import asyncio
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Response
from redis.asyncio import Redis

from order_processor.settings import OrderProcessorSettings
from order_processor.snapshots.repository import Snapshot, Snapshots
from shared.models.base import encode
from shared.models.identifiers import Mode
from shared.models.topics import AccountTopicKind, account_topic
from shared.redis.topics import last_seq
from shared.service.internal import require_internal_token
from shared.service.problems import not_found


class SnapshotBody(msgspec.Struct, frozen=True):
    seq: int
    data: Snapshot


def snapshots_router(
    settings: OrderProcessorSettings, snapshots: Snapshots, redis: Redis
) -> APIRouter:
    router = APIRouter(
        prefix="/internal/snapshots", dependencies=[Depends(require_internal_token(settings))]
    )

    @router.get("/{account_id}/{mode}/{kind}")
    async def take(account_id: UUID, mode: Mode, kind: AccountTopicKind) -> Response:
        """`{"seq": n, "data": …}`: frames up to n are in the data, those after n are not."""
        topic = account_topic(account_id, mode, kind)
        # Read first: an equity frame that comes meanwhile is then sent again, not missed.
        equity_seq = await last_seq(redis, topic) if kind == "equity" else 0
        found = await asyncio.to_thread(snapshots.take, account_id, mode, kind)
        if found is None:
            raise not_found("account")
        seq, data = found
        body = encode(SnapshotBody(equity_seq or seq, data))
        return Response(body, media_type="application/json")

    return router
