from websocket_service.main import run
from websocket_service.settings import WebsocketSettings

if __name__ == "__main__":
    run(WebsocketSettings())
