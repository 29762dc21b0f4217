"""HTTP edge of replays."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from market_data_engine.errors import Refused
from market_data_engine.replays.actions import Replays
from market_data_engine.replays.preparation import nanoseconds
from market_data_engine.replays.schemas import (
    Replay,
    ReplayList,
    ReplayRequest,
    SeekRequest,
    SpeedRequest,
)
from market_data_engine.replays.transport import Transport
from shared.service.problems import Problem, not_found

_STATUS = {
    "run_in_progress": 409,
    "replay_not_running": 409,
    "not_a_replay": 409,
    "already_paused": 409,
    "not_paused": 409,
    "seek_backwards": 409,
    "seek_beyond_end": 422,
    "start_outside": 422,
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
        return _there(await replays.start(request))

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

    @router.post("/{replay_id}/pause")
    async def pause(replay_id: UUID) -> Replay:
        return _there(await replays.press(replay_id, Transport.pause))

    @router.post("/{replay_id}/resume")
    async def resume(replay_id: UUID) -> Replay:
        return _there(await replays.press(replay_id, Transport.resume))

    @router.post("/{replay_id}/speed")
    async def change_speed(replay_id: UUID, wanted: SpeedRequest) -> Replay:
        speed = None if wanted.speed == "max" else float(wanted.speed)
        return _there(await replays.press(replay_id, partial(Transport.change_speed, speed=speed)))

    @router.post("/{replay_id}/seek")
    async def seek(replay_id: UUID, wanted: SeekRequest) -> Replay:
        at_ns = nanoseconds(wanted.to)
        return _there(await replays.press(replay_id, partial(Transport.seek, at_ns=at_ns)))

    return router


def _there(replay: Replay | Refused | None) -> Replay:
    if replay is None:
        raise not_found("replay")
    if isinstance(replay, Refused):
        raise Problem(_STATUS[replay.code], replay.code, replay.message)
    return replay
