"""Publishing frames: pushed to who listens now, buffered for who comes back.

The buffer's entry id is the frame's sequence number, so publishing a frame again (after a
crash between commit and publish) stores nothing new, and a reader asks for "everything
after n" in Redis' own terms. A repeated push is possible; receivers skip what they have.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterPipeline
from redis.exceptions import ResponseError

from shared.redis.keys import topic_buffer, topic_channel
from shared.redis.streams import entries, newest_id, position, read_range

#: Frames kept per topic for clients that come back (Redis trims to this or a little more).
BUFFER_FRAMES = 1000


#: How Redis refuses an entry whose id it has, or has a later one than.
_KEPT_ALREADY = "equal or smaller"
#: A script keeps all other clients of the server waiting.
_FRAMES_AT_ONCE = 250
#: KEYS: buffers. ARGV: most frames that a buffer keeps; channel, number and frame of each.
_PUBLISH = f"""
for i, buffer in ipairs(KEYS) do
  local channel, seq, frame = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local kept = redis.pcall('XADD', buffer, 'MAXLEN', '~', ARGV[1], seq .. '-0', 'f', frame)
  if kept.err and not string.find(kept.err, '{_KEPT_ALREADY}', 1, true) then return kept end
  redis.call('PUBLISH', channel, frame)
end
return #KEYS
"""

#: Topic, sequence number, encoded frame.
Frame = tuple[str, int, bytes]


async def publish_frames(redis: Redis, frames: Iterable[Frame]) -> None:
    """Publish frames in order, in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    add_frames(pipeline, frames)
    check_frames(await pipeline.execute(raise_on_error=False))


def add_frames(pipeline: Pipeline, frames: Iterable[Frame]) -> None:
    """Publish frames as a part of a longer pipeline; `check_frames` takes their results."""
    if isinstance(pipeline, ClusterPipeline):
        _add_one_by_one(pipeline, frames)
        return
    # A script for many of them: to read two replies a frame costs more than all the rest.
    waiting = iter(frames)
    while some := list(islice(waiting, _FRAMES_AT_ONCE)):
        told = [part for topic, seq, frame in some for part in (topic_channel(topic), seq, frame)]
        buffers = [topic_buffer(topic) for topic, _, _ in some]
        pipeline.execute_command("EVAL", _PUBLISH, len(buffers), *buffers, BUFFER_FRAMES, *told)


def _add_one_by_one(pipeline: Pipeline, frames: Iterable[Frame]) -> None:
    """A cluster's script would see the keys of one slot only."""
    for topic, seq, frame in frames:
        # By hand: `xadd` takes longer to build the command than Redis to carry it out.
        pipeline.execute_command(
            "XADD", topic_buffer(topic), "MAXLEN", "~", BUFFER_FRAMES, f"{seq}-0", "f", frame
        )
        pipeline.publish(topic_channel(topic), frame)


def check_frames(results: Iterable[object]) -> None:
    for result in results:
        if isinstance(result, ResponseError) and _KEPT_ALREADY in str(result):
            continue  # buffered before the crash that made us publish it again
        if isinstance(result, Exception):
            raise result


async def last_seq(redis: Redis, topic: str) -> int:
    """Sequence number of the topic's newest frame; 0 when there is none."""
    return position(await newest_id(redis, topic_buffer(topic)))[0]


async def frames_after(redis: Redis, topic: str, seq: int) -> list[tuple[int, bytes]] | None:
    """Buffered frames with numbers above `seq`, oldest first; None when some are gone already."""
    buffered = await read_range(redis, topic_buffer(topic), first=f"{max(seq, 0)}-0")
    frames = [(position(entry_id)[0], fields[b"f"]) for entry_id, fields in buffered]
    if frames and frames[0][0] > seq + 1:
        return None
    return [frame for frame in frames if frame[0] > seq]


async def frames_after_each(
    redis: Redis, after: Mapping[str, int]
) -> tuple[dict[str, list[tuple[int, bytes]] | None], set[str]]:
    """`frames_after` for many topics, in one round trip; and the topics whose buffer knows
    neither the frame asked after nor a later one: they are new, or Redis has lost it."""
    pipeline = redis.pipeline(transaction=False)
    for topic, seq in after.items():
        pipeline.xrange(topic_buffer(topic), min=f"{max(seq, 0)}-0", max="+")
    answer: dict[str, list[tuple[int, bytes]] | None] = {}
    silent: set[str] = set()
    for (topic, seq), raw in zip(after.items(), await pipeline.execute(), strict=True):
        frames = [(position(entry.id)[0], entry.fields[b"f"]) for entry in entries(raw)]
        if not frames:
            silent.add(topic)
        gap = bool(frames) and frames[0][0] > seq + 1
        answer[topic] = None if gap else [frame for frame in frames if frame[0] > seq]
    return answer, silent
