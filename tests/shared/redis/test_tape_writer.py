import pytest
from redis.asyncio import Redis

from shared.models.frames import encode_frame
from shared.models.market import RunEnded, RunStarted, TimeMark
from shared.redis import tape
from shared.redis.tape_writer import TapeTakenError, TapeWriter
from shared.redis.topics import frames_after


def mark(number: int) -> TimeMark:
    return TimeMark(number=number, at_ns=number, phase="market", paced=True)


async def test_entries_and_frames_are_written_in_order(redis: Redis) -> None:
    writer = TapeWriter(redis)
    await writer.open()
    started = RunStarted(run_id="r", source="replay", paced=True)
    frame = ("t", 1, encode_frame("t", 1, RunEnded(run_id="r")))
    await writer.write([started, mark(1)], [frame])
    await writer.write([mark(2)])
    entries = await tape.read(redis, tape.BEGINNING, block_ms=10)
    assert [entry.decode() for entry in entries] == [started, mark(1), mark(2)]
    assert await frames_after(redis, "t", 0) == [(1, frame[2])]


async def test_a_write_repeated_after_a_lost_answer_stands_on_the_tape_once(redis: Redis) -> None:
    writer = TapeWriter(redis)
    await writer.open()
    await writer.write([mark(1), mark(2)])
    writer._count = 0  # as the client does that sends its pipeline again
    await writer.write([mark(1), mark(2)])
    await writer.write([mark(3)])
    entries = await tape.read(redis, tape.BEGINNING, block_ms=10)
    assert [entry.decode() for entry in entries] == [mark(1), mark(2), mark(3)]


async def test_an_overtaken_writer_writes_nothing(redis: Redis) -> None:
    old, new = TapeWriter(redis), TapeWriter(redis)
    await old.open()
    await old.write([mark(1)])
    await new.open()
    await new.write([mark(2)])
    with pytest.raises(TapeTakenError):
        await old.write([mark(3)])
    entries = await tape.read(redis, tape.BEGINNING, block_ms=10)
    assert [entry.decode() for entry in entries] == [mark(1), mark(2)]


async def test_the_tape_of_an_unpaced_run_is_bounded(redis: Redis) -> None:
    writer = TapeWriter(redis, keep=100)
    await writer.open()
    for start in range(0, 2000, 100):
        await writer.write([mark(number) for number in range(start, start + 100)])
    assert len(await tape.read(redis, tape.BEGINNING, count=5000, block_ms=10)) < 1000
