from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("websocket_connections", "Clients connected now")
TOPICS = Gauge("websocket_topics", "Topics that clients follow now")
FRAMES_IN = Counter("websocket_frames_in_total", "Frames received from Redis")
FRAMES_OUT = Counter("websocket_frames_out_total", "Frames given to clients or their queues")
CONFLATED = Counter("websocket_frames_conflated_total", "Frames left out for slow clients")
REPEATED = Counter("websocket_frames_repeated_total", "Frames received again and passed over")
GAPS = Counter("websocket_gaps_total", "Gaps found and filled from a buffer or a snapshot")
SNAPSHOTS = Counter("websocket_snapshots_total", "Snapshots sent to clients")
RESUMES = Counter("websocket_resumes_total", "Subscriptions resumed from a buffer")
CLOSED = Counter("websocket_closed_total", "Connections closed by this side", ["code"])
