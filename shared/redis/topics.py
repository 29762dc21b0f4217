"""Publishing frames: pushed to who listens now, buffered for who comes back.

The buffer's entry id is the frame's sequence number, so publishing a frame again (after a
crash between commit and publish) stores nothing new, and a reader asks for "everything
after n" in Redis' own terms. A repeated push is possible; receivers skip what they have.
"""

from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.redis.keys import topic_buffer, topic_channel
from shared.redis.streams import newest_id, position, read_range

#: Frames kept per topic for clients that come back (Redis trims to this or a little more).
BUFFER_FRAMES = 1000


async def publish_frames(redis: Redis, frames: Iterable[tuple[str, int, bytes]]) -> None:
    """Publish (topic, seq, frame) in order, in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for topic, seq, frame in frames:
        pipeline.xadd(
            topic_buffer(topic),
            {"f": frame},
            id=f"{seq}-0",
            maxlen=BUFFER_FRAMES,
            approximate=True,
        )
        pipeline.publish(topic_channel(topic), frame)
    for result in await pipeline.execute(raise_on_error=False):
        if isinstance(result, ResponseError) and "equal or smaller" in str(result):
            continue  # buffered before the crash that made us publish it again
        if isinstance(result, Exception):
            raise result


async def last_seq(redis: Redis, topic: str) -> int:
    """Sequence number of the topic's newest frame; 0 when there is none."""
    return position(await newest_id(redis, topic_buffer(topic)))[0]


async def frames_after(redis: Redis, topic: str, seq: int) -> list[tuple[int, bytes]] | None:
    """Buffered frames with numbers above `seq`, oldest first; None when some are gone already."""
    entries = await read_range(redis, topic_buffer(topic), first=f"{max(seq, 0)}-0")
    frames = [(position(entry_id)[0], fields[b"f"]) for entry_id, fields in entries]
    if frames and frames[0][0] > seq + 1:
        return None
    return [frame for frame in frames if frame[0] > seq]
