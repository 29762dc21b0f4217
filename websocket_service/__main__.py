from websocket_service.main import run
from websocket_service.settings import WebsocketSettings

run(WebsocketSettings())
