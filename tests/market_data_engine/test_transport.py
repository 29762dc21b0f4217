"""Pause, speed and jumps of a replay's clock."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from market_data_engine.errors import Refused
from market_data_engine.replays.standing import StandingQuotes
from market_data_engine.replays.transport import Transport
from shared.models.identifiers import Symbol
from shared.models.market import Quotes

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
NOON_NS = 1_767_960_000 * SECOND_NS
END_NS = NOON_NS + 60 * MINUTE_NS
SPAN = (NOON_NS - MINUTE_NS, END_NS)


def code(answer: Refused | None) -> str | None:
    return None if answer is None else answer.code


@contextlib.asynccontextmanager
async def waiting(transport: Transport, at_ns: int) -> AsyncIterator["asyncio.Task[bool]"]:
    task = asyncio.create_task(transport.until(at_ns))
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_at_full_speed_every_time_has_come() -> None:
    transport = Transport(None, SPAN)
    assert await transport.until(NOON_NS)
    assert await transport.until(NOON_NS + 30 * MINUTE_NS)
    assert (transport.state, transport.step_ns) == ("playing", None)


@pytest.mark.parametrize(("speed", "step_s"), [(0.5, 0.5), (1.0, 1), (60.0, 60), (100.0, 60)])
def test_a_human_speed_shows_something_each_second(speed: float, step_s: float) -> None:
    assert Transport(speed, SPAN).step_ns == step_s * SECOND_NS


async def test_a_paused_replay_stands_until_it_is_resumed() -> None:
    transport = Transport(None, SPAN)
    assert transport.pause() is None
    assert transport.state == "pausing"  # what is under way is done first
    async with waiting(transport, NOON_NS) as come:
        assert (transport.state, come.done()) == ("paused", False)
        assert code(transport.pause()) == "already_paused"
        assert transport.resume() is None
        assert await come
    assert transport.state == "playing"
    assert code(transport.resume()) == "not_paused"


async def test_a_pause_does_not_count_as_time_that_the_replay_is_behind() -> None:
    transport = Transport(0.5, SPAN)
    assert await transport.until(NOON_NS)
    transport.pause()
    async with waiting(transport, NOON_NS + SECOND_NS) as come:
        transport._anchor = (NOON_NS, time.monotonic() - 3600)  # it stands for an hour
        transport.resume()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not come.done()


async def test_what_a_replay_was_behind_by_is_forgiven_when_its_speed_changes() -> None:
    transport = Transport(1.0, SPAN)
    assert await transport.until(NOON_NS)
    transport._anchor = (NOON_NS, time.monotonic() - 3600)  # nobody acknowledged for an hour
    transport.change_speed(0.5)
    assert await transport.until(NOON_NS + SECOND_NS)
    async with waiting(transport, NOON_NS + 3 * SECOND_NS) as come:
        assert not come.done()
        transport.change_speed(None)
        assert await come


async def test_a_jump_wakes_up_who_waits_and_leaves_a_paused_replay_paused() -> None:
    transport = Transport(1.0, SPAN)
    assert await transport.until(NOON_NS)
    transport.pause()
    async with waiting(transport, NOON_NS + MINUTE_NS) as come:
        assert transport.seek(NOON_NS + 10 * MINUTE_NS + 30 * SECOND_NS) is None
        assert not await come
    assert transport.target_ns == NOON_NS + 10 * MINUTE_NS
    assert transport.state == "seeking"
    transport.landed(NOON_NS + 10 * MINUTE_NS)
    assert (transport.state, transport.target_ns) == ("pausing", None)


async def test_a_jump_goes_neither_back_nor_beyond_the_end() -> None:
    transport = Transport(None, SPAN)
    await transport.until(NOON_NS)
    for at_ns in (0, NOON_NS - MINUTE_NS, NOON_NS, NOON_NS + 59 * SECOND_NS):
        assert code(transport.seek(at_ns)) == "seek_backwards"
    assert code(transport.seek(END_NS + MINUTE_NS)) == "seek_beyond_end"
    assert transport.target_ns is None
    assert transport.seek(END_NS) is None


async def test_a_jump_under_way_can_go_further_or_less_far_but_not_behind_what_is_skipped() -> None:
    transport = Transport(None, SPAN)
    await transport.until(NOON_NS)
    transport.seek(NOON_NS + 30 * MINUTE_NS)
    transport.skipped(NOON_NS + 10 * MINUTE_NS)
    assert code(transport.seek(NOON_NS + 10 * MINUTE_NS)) == "seek_backwards"
    assert transport.seek(NOON_NS + 20 * MINUTE_NS) is None
    transport.landed(NOON_NS + 20 * MINUTE_NS)
    assert await transport.until(NOON_NS + 21 * MINUTE_NS)


def quote(at_ns: int, bid: float, symbol: str = "SPY") -> Quotes:
    return Quotes(
        symbols=[Symbol(symbol)],
        symbol_index=[0],
        at_ns=[at_ns],
        bid=[bid],
        ask=[bid + 1],
        bid_size=[1.0],
        ask_size=[1.0],
    )


def test_of_the_quotes_passed_over_the_last_fresh_one_of_each_symbol_stands() -> None:
    standing = StandingQuotes()
    standing.pass_over(quote(NOON_NS - 40 * SECOND_NS, 9, "MSFT"))
    standing.pass_over(None)
    for age_s, bid in ((50, 10.0), (20, 11.0)):
        standing.pass_over(quote(NOON_NS - age_s * SECOND_NS, bid))
    standing.pass_over(quote(NOON_NS - 61 * SECOND_NS, 12, "OLD"))
    standing.settle(NOON_NS)
    [told] = standing.take()
    assert (told.symbols, told.bid) == (["MSFT", "SPY"], [9, 11.0])
    assert told.at_ns == [NOON_NS, NOON_NS]
    assert standing.take() == []


def test_quotes_that_were_not_told_before_the_next_jump_are_old_after_it() -> None:
    standing = StandingQuotes()
    standing.pass_over(quote(NOON_NS - 20 * SECOND_NS, 10))
    standing.settle(NOON_NS)
    standing.settle(NOON_NS + MINUTE_NS)
    assert standing.take() == []
