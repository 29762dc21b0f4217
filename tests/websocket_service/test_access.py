"""Who may connect, for how long, and what they may follow."""

import asyncio
import json
from uuid import uuid4

import httpx
import jwt
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, func, update

from shared.config import Settings
from shared.database.tables import SessionRow, UserRow
from tests.websocket_service.conftest import NewPerson, Sources, Stream, publish
from websocket_service.settings import WebsocketSettings
from websocket_service.wiring import running_server


async def test_a_client_that_says_nothing_is_disconnected(stream: Stream) -> None:
    async with stream.client() as client:
        assert await client.close_code() == 4408


@pytest.mark.parametrize("message", ['{"op":"ping"}', "garbage", b"\x00\x01"])
async def test_a_client_that_does_not_authenticate_first_is_disconnected(
    stream: Stream, message: str | bytes
) -> None:
    async with stream.client() as client:
        await client.connection.send(message)
        assert (await client.hear())["op"] == "error"
        assert await client.close_code() == 4401


async def test_bad_tokens_are_told_and_disconnected(
    stream: Stream, person: NewPerson, settings: Settings
) -> None:
    someone = person()
    claims = jwt.decode(someone.token(), options={"verify_signature": False})
    tokens = {
        someone.token(lifetime_s=-1): "token_expired",
        someone.token()[:-2] + "xx": "token_invalid",
        jwt.encode(claims, "another secret that is long enough", "HS256"): "token_invalid",
        jwt.encode(claims, None, "none"): "token_invalid",
        "": "token_invalid",
    }
    for token, code in tokens.items():
        async with stream.client() as client:
            await client.say("auth", token=token)
            assert (await client.hear())["code"] == code
            assert await client.close_code() == 4401


async def test_a_token_of_an_ended_session_is_refused(
    stream: Stream, person: NewPerson, engine: Engine
) -> None:
    someone = person()
    with engine.begin() as connection:
        connection.execute(update(SessionRow).values(ended_at=func.now(), ended_reason="logout"))
    async with stream.client() as client:
        await client.say("auth", token=someone.token())
        assert (await client.hear())["code"] == "session_ended"
        assert await client.close_code() == 4401


@pytest.mark.parametrize(
    "end",
    [
        update(SessionRow).values(ended_at=func.now(), ended_reason="logout"),
        update(UserRow).values(status="disabled"),
        update(UserRow).values(role="investor"),
    ],
    ids=["logout", "disabled", "role taken away"],
)
async def test_a_connection_ends_when_its_session_does(
    stream: Stream, person: NewPerson, engine: Engine, end: object
) -> None:
    someone = person()
    async with stream.client(someone.token()) as client:
        with engine.begin() as connection:
            connection.execute(end)  # type: ignore[call-overload]
        assert (await client.hear())["code"] == "session_ended"
        assert await client.close_code() == 4401


async def test_a_connection_ends_with_its_token(stream: Stream, person: NewPerson) -> None:
    async with stream.client(person().token(lifetime_s=2)) as client:
        assert (await client.hear())["code"] == "token_expired"
        assert await client.close_code() == 4401


async def test_a_new_token_on_the_same_connection_goes_on(
    stream: Stream, person: NewPerson
) -> None:
    someone = person()
    async with stream.client(someone.token(lifetime_s=2)) as client:
        await client.sign_in(someone.token(lifetime_s=60))
        waiting = asyncio.create_task(client.connection.wait_closed())
        await asyncio.wait([waiting], timeout=2.6)  # past the first one's end
        assert not waiting.done()
        waiting.cancel()
        await client.say("ping")
        assert await client.hear() == {"op": "pong"}


async def test_a_connection_can_not_be_handed_over(stream: Stream, person: NewPerson) -> None:
    async with stream.client(person().token()) as client:
        await client.say("auth", token=person("admin").token())
        assert (await client.hear())["code"] == "another_user"
        assert await client.close_code() == 4401


@pytest.mark.parametrize("kind", ["orders", "executions", "positions", "equity"])
async def test_account_topics_are_for_the_owner_and_for_admins(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis, kind: str
) -> None:
    owner, stranger, admin = person(), person(), person("admin")
    topic = owner.topic(kind)
    sources.account(owner.account_id, kind, 0)
    for allowed in (owner, admin):
        async with stream.client(allowed.token()) as client:
            assert (await client.subscribe(topic))[0]["op"] == "snapshot"
    asked = len(sources.asked)
    async with stream.client(stranger.token()) as client:
        for name in (topic, f"accounts.{uuid4()}.paper.{kind}"):
            answer = (await client.subscribe(name))[0]
            assert (answer["code"], answer["topic"]) == ("not_found", name)
        answer = (await client.subscribe(topic, resume={topic: 0}))[0]
        assert answer["code"] == "not_found"
        await publish(redis, topic, 1)
        await client.say("ping")
        assert await client.hear() == {"op": "pong"}  # and not the frame
    assert len(sources.asked) == asked


async def test_notifications_are_for_their_user_alone_and_go_on_where_he_left(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    owner, admin = person(), person("admin")
    topic = f"users.{owner.user_id}.notifications"
    sources.answers[f"/internal/notifications/{owner.user_id}/snapshot"] = {
        "seq": 1,
        "data": {"notifications": [], "unread": 0},
    }
    await publish(redis, topic, 1)
    async with stream.client(owner.token()) as client:
        [snapshot] = await client.subscribe(topic)
        assert (snapshot["op"], snapshot["seq"]) == ("snapshot", 1)
        await publish(redis, topic, 2)
        assert (await client.hear())["seq"] == 2
    await publish(redis, topic, 3)
    async with stream.client(owner.token()) as client:
        [resumed] = await client.subscribe(topic, resume={topic: 2})
        assert resumed["op"] == "resumed"
        assert (await client.hear())["seq"] == 3
    async with stream.client(admin.token()) as client:
        for resume in ({}, {topic: 1}):
            [refused] = await client.subscribe(topic, resume=resume)
            assert (refused["code"], refused["topic"]) == ("not_found", topic)


async def test_unknown_topics_are_refused_one_by_one(
    stream: Stream, sources: Sources, person: NewPerson
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        names = ["tape:{0}", "candles.SPY.1m", "candles.NONE.1m", "candles.SPY.7m", "*"]
        answers = {answer["topic"]: answer for answer in await client.subscribe(*names)}
        assert answers["candles.SPY.1m"]["op"] == "snapshot"
        assert answers["candles.NONE.1m"]["code"] == "not_found"
        for name in ("tape:{0}", "candles.SPY.7m", "*"):
            assert answers[name]["code"] == "unknown_topic"


async def test_bad_messages_change_nothing(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe("candles.SPY.1m")
        for message, code in {
            "{": "invalid_json",
            '{"op":"buy"}': "unknown_op",
            '{"op":"subscribe","topics":[]}': "invalid_message",
            '{"op":"unsubscribe","topics":["time"]}': "not_subscribed",
            json.dumps({"op": "subscribe", "topics": ["x"] + [str(n) for n in range(20)]}): (
                "too_many_topics"
            ),
        }.items():
            await client.connection.send(message)
            assert (await client.hear())["code"] == code
        await client.connection.send(b"\x00\xff")
        assert (await client.hear())["code"] == "invalid_message"
        await publish(redis, "candles.SPY.1m", 1)
        assert (await client.hear())["seq"] == 1


async def test_a_message_that_is_too_big_ends_the_connection(
    stream: Stream, person: NewPerson
) -> None:
    async with stream.client(person().token()) as client:
        await client.connection.send("x" * (64 * 1024 + 1))
        assert await client.close_code() == 1009


async def test_health_and_metrics_are_on_the_same_port(stream: Stream, person: NewPerson) -> None:
    async with stream.client(person().token()), httpx.AsyncClient(trust_env=False) as http:
        live = await http.get(f"{stream.http_url}/health/live")
        assert (live.status_code, live.json()) == (200, {"status": "ok"})
        ready = await http.get(f"{stream.http_url}/health/ready")
        assert ready.json() == {
            "status": "ok",
            "dependencies": {"postgres": "ok", "redis": "ok"},
        }
        metrics = await http.get(f"{stream.http_url}/metrics")
        assert "websocket_connections 1.0" in metrics.text
        assert (await http.get(f"{stream.http_url}/")).status_code == 404
        plain = await http.get(f"{stream.http_url}/v1/stream")
        assert (plain.status_code, plain.json()["code"]) == (426, "upgrade_required")


async def test_an_instance_without_its_stores_lives_but_is_not_ready(
    stream_settings: WebsocketSettings, person: NewPerson
) -> None:
    someone = person()
    away = stream_settings.model_copy(update={"db_port": 1, "redis_port": 1})
    async with running_server(away), httpx.AsyncClient(trust_env=False) as http:
        stream = Stream(away)
        assert (await http.get(f"{stream.http_url}/health/live")).status_code == 200
        ready = await http.get(f"{stream.http_url}/health/ready")
        assert ready.status_code == 503
        assert set(ready.json()["dependencies"]) == {"postgres", "redis"}
        async with stream.client() as client:
            await client.say("auth", token=someone.token())
            assert (await client.hear())["code"] == "temporarily_unavailable"
            assert await client.close_code() == 1013


async def test_a_full_instance_says_so(
    stream_settings: WebsocketSettings, person: NewPerson
) -> None:
    small = stream_settings.model_copy(update={"websocket_max_connections": 1})
    async with running_server(small), httpx.AsyncClient(trust_env=False) as http:
        stream = Stream(small)
        async with stream.client(person().token()):
            refused = await http.get(f"{stream.http_url}/v1/stream")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
