from api_gateway.values import View


class ClientConfig(View):
    environment: str
    #: Where to open the WebSocket.
    websocket_url: str
