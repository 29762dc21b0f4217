"""Files of trades and the runs made of them. Everyone may look, admins may act."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from api_gateway.dependencies import Admin, Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.routes import EngineCursor
from api_gateway.market_data.schemas import (
    MarketFileView,
    ReplayRequest,
    ReplaySeek,
    ReplaySpeed,
    ReplayView,
)
from api_gateway.paging import Page
from api_gateway.values import Name

router = APIRouter(tags=["market data"])

_READ = problems(401, 404, 422, 502, 503)
_PRESS = problems(401, 403, 404, 409, 422, 502, 503)
_WRITE = problems(400, 401, 403, 404, 409, 413, 422, 502, 503)


@router.put(
    "/market-files/{name}",
    status_code=201,
    response_model=MarketFileView,
    operation_id="uploadMarketFile",
    summary="Upload a file of trades or quotes (admins)",
    description="CSV, gzipped or not, with the columns timestamp, symbol, price and size of "
    "trades, or timestamp, symbol, bid, ask, bid_size and ask_size of quotes. It is checked line "
    "by line before it is accepted. The same content again answers 200 and changes nothing.",
    responses={
        200: {"model": MarketFileView, "description": "This content was uploaded before"},
        **_WRITE,
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_market_file(
    _: Admin,
    name: Annotated[Name, Path(examples=["spy-2026-03-19.csv.gz"])],
    request: Request,
    gateway: GatewayState,
) -> Response:
    return await gateway.market_data.put_stream(
        f"/internal/market-files/{quote(name, safe='')}",
        request,
        gateway.settings.upload_timeout_s,
    )


@router.get(
    "/market-files",
    response_model=Page[MarketFileView],
    operation_id="listMarketFiles",
    summary="Files of trades and quotes",
    responses=_READ,
)
async def list_market_files(
    _: Caller,
    gateway: GatewayState,
    cursor: EngineCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.market_data.get(
        "/internal/market-files", {"cursor": cursor, "limit": limit}
    )


@router.post(
    "/replays",
    status_code=201,
    response_model=ReplayView,
    operation_id="startReplay",
    summary="Run files or a made-up market through the platform (admins)",
    responses=_WRITE,
)
async def start_replay(admin: Admin, body: ReplayRequest, gateway: GatewayState) -> Response:
    wanted = body.model_dump(mode="json", exclude_none=True)
    return await gateway.market_data.post(
        "/internal/replays", {**wanted, "started_by": str(admin.user_id)}
    )


@router.get(
    "/replays",
    response_model=Page[ReplayView],
    operation_id="listReplays",
    summary="Runs, newest first",
    responses=_READ,
)
async def list_replays(
    _: Caller,
    gateway: GatewayState,
    cursor: EngineCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.market_data.get("/internal/replays", {"cursor": cursor, "limit": limit})


@router.get(
    "/replays/{replay_id}",
    response_model=ReplayView,
    operation_id="getReplay",
    summary="One run",
    responses=_READ,
)
async def get_replay(_: Caller, replay_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.get(f"/internal/replays/{replay_id}")


@router.post(
    "/replays/{replay_id}/stop",
    response_model=ReplayView,
    operation_id="stopReplay",
    summary="Stop a run (admins)",
    responses=_PRESS,
)
async def stop_replay(_: Admin, replay_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.post(f"/internal/replays/{replay_id}/stop")


@router.post(
    "/replays/{replay_id}/pause",
    response_model=ReplayView,
    operation_id="pauseReplay",
    summary="Hold a replay's market time for everyone (admins)",
    description="The time mark under way is done first: until then its `state` is `pausing`.",
    responses=_PRESS,
)
async def pause_replay(_: Admin, replay_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.post(f"/internal/replays/{replay_id}/pause")


@router.post(
    "/replays/{replay_id}/resume",
    response_model=ReplayView,
    operation_id="resumeReplay",
    summary="Let a paused replay go on (admins)",
    responses=_PRESS,
)
async def resume_replay(_: Admin, replay_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.post(f"/internal/replays/{replay_id}/resume")


@router.post(
    "/replays/{replay_id}/speed",
    response_model=ReplayView,
    operation_id="changeReplaySpeed",
    summary="Change how fast a replay goes (admins)",
    responses=_WRITE,
)
async def change_replay_speed(
    _: Admin, replay_id: UUID, body: ReplaySpeed, gateway: GatewayState
) -> Response:
    return await gateway.market_data.post(
        f"/internal/replays/{replay_id}/speed", body.model_dump(mode="json")
    )


@router.post(
    "/replays/{replay_id}/seek",
    response_model=ReplayView,
    operation_id="seekReplay",
    summary="Pass over a replay's market up to a later minute (admins)",
    description="What is passed over fills no order and is shown to no strategy; candles are made "
    "of it all the same. A paused replay stays paused. Books can't go back in time: for an earlier "
    "minute start another replay with `start_at`.",
    responses=_WRITE,
)
async def seek_replay(
    _: Admin, replay_id: UUID, body: ReplaySeek, gateway: GatewayState
) -> Response:
    return await gateway.market_data.post(
        f"/internal/replays/{replay_id}/seek", body.model_dump(mode="json")
    )
