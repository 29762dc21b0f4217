"""Settings of the websocket service."""

from pydantic import Field

from shared.config import Settings


class WebsocketSettings(Settings):
    websocket_port: int = Field(default=8001, ge=1, le=65535)
    #: A client that has not authenticated by then is disconnected.
    websocket_auth_timeout_s: float = Field(default=5.0, gt=0, le=60)
    websocket_max_connections: int = Field(default=12_000, ge=1, le=100_000)
    #: Topics that one client may follow at once.
    websocket_max_topics: int = Field(default=200, ge=1, le=10_000)
    #: From this many waiting frames on, market data for that client is conflated.
    websocket_conflate_after: int = Field(default=256, ge=1, le=10_000)
    #: A client with more frames waiting that must not be dropped is disconnected.
    websocket_queue_frames: int = Field(default=1000, ge=10, le=100_000)
    #: A client that takes in nothing at all for this long is disconnected.
    websocket_stall_timeout_s: float = Field(default=30.0, gt=0, le=600)
    #: How often ended sessions are looked for.
    websocket_session_check_s: float = Field(default=3.0, gt=0, le=60)
