"""A slow client costs itself something and nobody else anything."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis

from shared.redis import tape
from tests.websocket_service.conftest import (
    TIMEOUT_S,
    NewPerson,
    Sources,
    Stream,
    TestClient,
    publish,
    until,
)
from websocket_service.settings import WebsocketSettings
from websocket_service.wiring import running_server

SPY = "candles.SPY.1m"
#: Together more than the sockets' buffers on both sides hold.
FRAMES, PADDING = 1500, 8000


@contextlib.asynccontextmanager
async def stalled(stream: Stream, token: str, *topics: str) -> AsyncIterator[TestClient]:
    """A client that has subscribed and then stops to take anything from its socket."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    address = ("127.0.0.1", stream.settings.websocket_port)
    await asyncio.get_running_loop().sock_connect(narrow, address)
    async with stream.client(token, sock=narrow, max_queue=1, close_timeout=0.2) as client:
        await client.subscribe(*topics)
        yield client


async def test_a_slow_client_gets_the_latest_market_data_and_others_get_all_of_it(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    token = person().token()
    async with stream.client(token) as quick, stalled(stream, token, SPY) as slow:
        await quick.subscribe(SPY)
        for first in range(1, FRAMES + 1, 100):
            await publish(redis, SPY, *range(first, first + 100), padding=PADDING)
            heard = await quick.hear_until(seq=first + 99)
            assert [message["seq"] for message in heard] == list(range(first, first + 100))
        heard = await slow.hear_until(topic=SPY, seq=FRAMES, op=None)
        numbers = [message["seq"] for message in heard if "op" not in message]
        assert numbers == sorted(set(numbers))
        assert len(numbers) < FRAMES
        # Each jump is announced, with the number that it leads to.
        jumps = [b for a, b in zip([0, *numbers], numbers, strict=False) if b != a + 1]
        told = [message["seq"] for message in heard if message.get("op") == "conflated"]
        assert jumps == told
        assert told
        await publish(redis, SPY, FRAMES + 1)
        assert (await slow.hear())["seq"] == FRAMES + 1


async def test_account_events_reach_a_slow_client_whole(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    someone = person()
    orders = someone.topic("orders")
    sources.account(someone.account_id, "orders", 0)
    sources.candles("SPY", "1m", 0)
    async with stalled(stream, someone.token(), orders, SPY) as slow:
        await publish(redis, SPY, *range(1, FRAMES + 1), padding=PADDING)
        await publish(redis, orders, *range(1, 41))
        heard = await slow.hear_until(topic=orders, seq=40)
    assert [message["seq"] for message in heard if message.get("topic") == orders] == list(
        range(1, 41)
    )


async def test_a_client_that_can_not_keep_up_with_its_account_is_disconnected(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    someone = person()
    orders = someone.topic("orders")
    sources.account(someone.account_id, "orders", 0)
    async with stream.client(someone.token()) as quick:
        await quick.subscribe(orders)
        async with stalled(stream, someone.token(), orders) as slow:
            for first in range(1, FRAMES + 1, 100):
                await publish(redis, orders, *range(first, first + 100), padding=PADDING)
                await quick.hear_until(seq=first + 99)

            async def only_one_is_left() -> bool:
                async with httpx.AsyncClient(trust_env=False) as http:
                    metrics = await http.get(f"{stream.http_url}/metrics")
                return "websocket_connections 1.0" in metrics.text

            await until(only_one_is_left)
            await publish(redis, orders, FRAMES + 1)
            assert (await quick.hear())["seq"] == FRAMES + 1
            with contextlib.suppress(Exception):
                while True:  # what was on the wire, then the end
                    await slow.hear()
            assert slow.connection.close_code in (4429, 1006)


async def test_a_client_that_takes_in_nothing_is_disconnected_in_the_end(
    stream_settings: WebsocketSettings, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    impatient = stream_settings.model_copy(update={"websocket_stall_timeout_s": 0.3})
    async with running_server(impatient), httpx.AsyncClient(trust_env=False) as http:
        stream = Stream(impatient)
        async with stalled(stream, person().token(), SPY):
            await publish(redis, SPY, *range(1, FRAMES + 1), padding=PADDING)

            async def nobody_is_left() -> bool:
                metrics = await http.get(f"{stream.http_url}/metrics")
                return "websocket_connections 0.0" in metrics.text

            await until(nobody_is_left)


# --- pacing ---------------------------------------------------------------------------------


async def test_a_run_waits_for_the_acknowledgements_of_a_pacing_client(
    stream: Stream, person: NewPerson, redis: Redis
) -> None:
    pacer = tape.Pacer(redis, always={})
    async with stream.client(person("admin").token()) as client:
        await client.say("pace")
        heard = await client.hear_until(op="pacing")
        assert heard[0]["topic"] == "time"
        await pacer.begin("run")
        assert len(await pacer.missing("observe", 1)) == 1
        await publish(redis, "time", 1, 2, 3)
        await client.hear_until(topic="time", seq=3)
        for number in (1, 2, 3):
            await client.say("ack", number=number)
        await asyncio.wait_for(pacer.wait("observe", 3), TIMEOUT_S)
        assert len(await pacer.missing("observe", 4)) == 1
    await asyncio.wait_for(pacer.wait("observe", 4), TIMEOUT_S)  # it has left


async def test_only_admins_pace_and_only_who_paces_acknowledges(
    stream: Stream, person: NewPerson, redis: Redis
) -> None:
    async with stream.client(person().token()) as client:
        await client.say("pace")
        assert (await client.hear())["code"] == "admins_only"
        await client.say("ack", number=1)
        assert (await client.hear())["code"] == "not_pacing"
    assert await tape.Pacer(redis, always={}).missing("observe", 1) == set()


async def test_a_pacing_client_gets_every_mark_however_slow_it_is(
    stream: Stream, person: NewPerson, redis: Redis
) -> None:
    async with stalled(stream, person("admin").token(), "time") as client:
        await client.say("pace")
        await client.hear_until(op="pacing")
        for first in range(1, FRAMES + 1, 100):
            await publish(redis, "time", *range(first, first + 100), padding=PADDING)
        heard = await client.hear_until(topic="time", seq=FRAMES)
    assert [message["seq"] for message in heard] == list(range(1, FRAMES + 1))


# --- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_is_told_to_end_sees_its_clients_off(
    stream_settings: WebsocketSettings,
    sources: Sources,
    person: NewPerson,
    redis: Redis,
    end: signal.Signals,
) -> None:
    sources.candles("SPY", "1m", 0)
    process = start(stream_settings)
    try:
        stream = Stream(stream_settings)
        await until_live(stream)
        async with stream.client(person("admin").token()) as client:
            await client.subscribe(SPY)
            await client.say("pace")
            await client.hear_until(op="pacing")
            await publish(redis, SPY, 1)
            await client.hear_until(seq=1)
            process.send_signal(end)
            assert await client.close_code() == 1001
        async with asyncio.timeout(TIMEOUT_S):
            assert await asyncio.to_thread(process.wait) == 0
        assert await tape.Pacer(redis, always={}).missing("observe", 1) == set()
    finally:
        process.kill()
        process.wait()


async def test_clients_of_a_killed_process_go_on_at_another_without_a_gap(
    stream: Stream,
    stream_settings: WebsocketSettings,
    sources: Sources,
    person: NewPerson,
    redis: Redis,
    free_websocket_port: int,
) -> None:
    sources.candles("SPY", "1m", 0)
    doomed = stream_settings.model_copy(update={"websocket_port": free_websocket_port})
    process = start(doomed)
    try:
        await until_live(Stream(doomed))
        token = person().token()
        async with Stream(doomed).client(token) as client:
            await client.subscribe(SPY)
            await publish(redis, SPY, 1, 2)
            await client.hear_until(seq=2)
            process.kill()
            await client.close_code()
        await publish(redis, SPY, 3)
        async with stream.client(token) as client:
            await client.say("subscribe", topics=[SPY], resume={SPY: 2})
            await publish(redis, SPY, 4)
            assert [(await client.hear())["seq"] for _ in range(3)] == [2, 3, 4]
    finally:
        process.kill()
        process.wait()


def start(settings: WebsocketSettings) -> subprocess.Popen[bytes]:
    environment = {
        "ENVIRONMENT": "test",
        "DB_PORT": str(settings.db_port),
        "DB_NAME": settings.db_name,
        "DB_PASSWORD": settings.db_password.get_secret_value(),
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_PASSWORD": settings.redis_password.get_secret_value()
        if settings.redis_password
        else "",
        "MARKET_DATA_URL": settings.market_data_url,
        "ORDER_PROCESSOR_URL": settings.order_processor_url,
        "WEBSOCKET_PORT": str(settings.websocket_port),
    }
    command = [sys.executable, "-m", "websocket_service"]
    return subprocess.Popen(command, env=os.environ | environment)


async def until_live(stream: Stream) -> None:
    async def live() -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{stream.http_url}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

    await until(live)
