"""HTTP edge of live feeds."""

from fastapi import APIRouter

from market_data_engine.live.board import FeedBoard
from market_data_engine.live.schemas import FeedList


def feed_routes(board: FeedBoard) -> APIRouter:
    router = APIRouter(prefix="/internal/feeds")

    @router.get("")
    async def feeds() -> FeedList:
        return board.view()

    return router
