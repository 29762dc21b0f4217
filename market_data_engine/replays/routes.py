"""HTTP edge of replays."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from market_data_engine.errors import Refused
from market_data_engine.replays.actions import Replays
from market_data_engine.replays.schemas import Replay, ReplayList, ReplayRequest
from shared.service.problems import Problem, not_found

_STATUS = {
    "run_in_progress": 409,
    "file_missing": 409,
    "standby": 503,
    "unknown_file": 422,
    "no_trades": 422,
    "outside_calendar": 422,
}


def replay_routes(replays: Replays) -> APIRouter:
    router = APIRouter(prefix="/internal/replays")

    @router.post("", status_code=201)
    async def start(request: ReplayRequest) -> Replay:
        started = await replays.start(request)
        if isinstance(started, Refused):
            raise Problem(_STATUS[started.code], started.code, started.message)
        return started

    @router.get("")
    async def newest(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100, cursor: UUID | None = None
    ) -> ReplayList:
        return await replays.newest(cursor, limit)

    @router.get("/{replay_id}")
    async def find(replay_id: UUID) -> Replay:
        return _there(await replays.find(replay_id))

    @router.post("/{replay_id}/stop")
    async def stop(replay_id: UUID) -> Replay:
        return _there(await replays.stop(replay_id))

    return router


def _there(replay: Replay | None) -> Replay:
    if replay is None:
        raise not_found("replay")
    return replay
