from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from shared.auth import Principal, Role
from websocket_service.protocol import (
    Ack,
    Auth,
    ClientProtocol,
    Close,
    Pace,
    Ping,
    Refused,
    Subscribe,
    Unsubscribe,
    conflated_message,
    error_message,
    snapshot_message,
)

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def principal(role: Role = "trader", lifetime: timedelta = 60 * SECOND) -> Principal:
    return Principal(uuid4(), uuid4(), role, NOW + lifetime)


def fresh(max_topics: int = 3) -> ClientProtocol:
    return ClientProtocol(NOW, 5 * SECOND, max_topics)


def signed_in(role: Role = "trader") -> ClientProtocol:
    client = fresh()
    assert client.authenticate(principal(role)) is None
    return client


def text(**fields: Any) -> str:
    return msgspec.json.encode(fields).decode()


def code_of(answer: object) -> str:
    assert isinstance(answer, Refused)
    return answer.code


@pytest.mark.parametrize(
    ("message", "op"),
    [
        (text(op="subscribe", topics=["time"]), Subscribe(["time"], {})),
        (text(op="subscribe", topics=["a"], resume={"a": 3}), Subscribe(["a"], {"a": 3})),
        (text(op="unsubscribe", topics=["a", "b"]), Unsubscribe(["a", "b"])),
        (text(op="ping"), Ping()),
        (text(op="ping", unknown_field=1), Ping()),
        (text(op="auth", token="t"), Auth("t")),
    ],
)
def test_what_a_signed_in_client_may_ask_for(message: str, op: object) -> None:
    assert signed_in().receive(message) == op


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("nonsense", "invalid_json"),
        ('{"op":"ping"}{"op":"ping"}', "invalid_json"),
        ('{"op":"ping","x":' + "[" * 30_000 + "}", "invalid_json"),
        ('{"op":"\ud800"}', "invalid_json"),
        ("[]", "invalid_message"),
        ("null", "invalid_message"),
        ("{}", "invalid_message"),
        (text(op=7), "invalid_message"),
        (text(op="trade"), "unknown_op"),
        (text(op=""), "unknown_op"),
        (text(op="subscribe"), "invalid_message"),
        (text(op="subscribe", topics=[]), "invalid_message"),
        (text(op="subscribe", topics="time"), "invalid_message"),
        (text(op="subscribe", topics=[1]), "invalid_message"),
        (text(op="subscribe", topics=["a"], resume={"a": -1}), "invalid_message"),
        (text(op="subscribe", topics=["a"], resume={"a": 2**64}), "invalid_message"),
        (text(op="subscribe", topics=["a"], resume={"a": "3"}), "invalid_message"),
        (text(op="subscribe", topics=["a", "b", "c", "d"]), "too_many_topics"),
        (text(op="pace"), "admins_only"),
        (text(op="ack", number=1), "not_pacing"),
        (text(op="ack", number=0), "invalid_message"),
        (text(op="auth"), "invalid_message"),
        (b'{"op":"ping"}', "invalid_message"),
    ],
)
def test_what_is_refused_with_a_code(message: str | bytes, code: str) -> None:
    assert code_of(signed_in().receive(message)) == code


def test_topics_that_a_client_follows_already_do_not_count_twice() -> None:
    client = signed_in()
    client.topics.update({"a", "b", "c"})
    assert isinstance(client.receive(text(op="subscribe", topics=["a", "b"])), Subscribe)
    assert code_of(client.receive(text(op="subscribe", topics=["d"]))) == "too_many_topics"


@pytest.mark.parametrize(
    "message", [text(op="ping"), text(op="subscribe", topics=["time"]), "{", b"\x00"]
)
def test_anything_before_authentication_ends_the_connection(message: str | bytes) -> None:
    answer = fresh().receive(message)
    assert isinstance(answer, Close)
    assert answer.code == 4401


def test_an_admin_may_pace_and_then_acknowledge() -> None:
    client = signed_in("admin")
    assert client.receive(text(op="pace")) == Pace()
    assert code_of(client.receive(text(op="ack", number=1))) == "not_pacing"
    client.pacing = True
    assert client.receive(text(op="ack", number=7)) == Ack(7)


def test_a_client_that_does_not_authenticate_in_time_is_disconnected() -> None:
    client = fresh()
    assert client.overdue(NOW + 4.9 * SECOND) is None
    late = client.overdue(NOW + 5 * SECOND)
    assert late is not None
    assert late.code == 4408


def test_a_connection_ends_with_its_token_unless_a_new_one_came() -> None:
    client = fresh()
    first = principal(lifetime=10 * SECOND)
    client.authenticate(first)
    assert client.overdue(NOW + 9 * SECOND) is None
    ended = client.overdue(NOW + 10 * SECOND)
    assert ended is not None
    assert ended.code == 4401
    longer = Principal(first.user_id, uuid4(), first.role, NOW + 20 * SECOND)
    assert client.authenticate(longer) is None
    assert client.overdue(NOW + 19 * SECOND) is None


def test_a_connection_can_not_be_handed_to_another_user_or_role() -> None:
    client = fresh()
    mine = principal()
    client.authenticate(mine)
    for other in (principal(), Principal(mine.user_id, mine.session_id, "admin", mine.expires_at)):
        close = client.authenticate(other)
        assert close is not None
        assert close.code == 4401
        assert client.principal == mine


def test_messages_to_the_client_are_json_with_the_topic_escaped() -> None:
    topic = 'odd"topic'
    assert msgspec.json.decode(snapshot_message(topic, 7, b"[1]")) == {
        "op": "snapshot",
        "topic": topic,
        "seq": 7,
        "data": [1],
    }
    assert msgspec.json.decode(conflated_message(topic, 9))["topic"] == topic
    assert msgspec.json.decode(error_message(Refused("c", "m"))) == {
        "op": "error",
        "code": "c",
        "message": "m",
    }
    assert msgspec.json.decode(error_message(Refused("c", "m", "t")))["topic"] == "t"
