from redis.asyncio import Redis

from shared.models.frames import encode_frame
from shared.models.market import RunEnded
from shared.redis.topics import frames_after, frames_after_each, last_seq, publish_frames


def frame(seq: int) -> tuple[str, int, bytes]:
    return "t", seq, encode_frame("t", seq, RunEnded(run_id="r"))


async def test_frames_come_back_from_the_last_one_seen(redis: Redis) -> None:
    await publish_frames(redis, [frame(1), frame(2), frame(3)])
    assert await frames_after(redis, "t", 1) == [(2, frame(2)[2]), (3, frame(3)[2])]
    assert await frames_after(redis, "t", 3) == []
    assert await last_seq(redis, "t") == 3


async def test_a_frame_published_twice_is_kept_once(redis: Redis) -> None:
    await publish_frames(redis, [frame(1), frame(2)])
    await publish_frames(redis, [frame(2), frame(3)])
    frames = await frames_after(redis, "t", 0)
    assert frames is not None
    assert [seq for seq, _ in frames] == [1, 2, 3]


async def test_a_gap_that_the_buffer_can_not_fill_is_told(redis: Redis) -> None:
    await publish_frames(redis, [frame(5)])
    assert await frames_after(redis, "t", 2) is None


async def test_an_unknown_topic_has_no_frames(redis: Redis) -> None:
    assert await last_seq(redis, "t") == 0
    assert await frames_after(redis, "t", 0) == []


async def test_frames_of_many_topics_come_in_one_round_trip(redis: Redis) -> None:
    await publish_frames(redis, [frame(1), frame(2), ("late", 7, b"seven")])
    after = {"t": 1, "late": 2, "new": 0, "lost": 4}
    assert await frames_after_each(redis, after) == (
        {"t": [(2, frame(2)[2])], "late": None, "new": [], "lost": []},
        {"new", "lost"},
    )
    assert await frames_after_each(redis, {"t": 2}) == ({"t": []}, set())
