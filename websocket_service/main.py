"""The process. No ASGI here: `websockets` serves itself at half the cost per frame."""

import asyncio
import signal

import structlog
import uvloop

from shared.service.logs import configure_logs
from websocket_service.settings import WebsocketSettings
from websocket_service.wiring import running_server

log = structlog.get_logger()


async def serve_until_told(settings: WebsocketSettings) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with running_server(settings):
        log.info("serving", port=settings.websocket_port)
        await told.wait()


def run(settings: WebsocketSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs("websocket_service", settings.log_detail)
    uvloop.run(serve_until_told(settings))
