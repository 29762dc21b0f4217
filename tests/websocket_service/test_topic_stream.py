"""Sequencing against a plain model: whatever comes in what order, a client never sees a gap,
a repetition or an inversion."""

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from websocket_service.topic_stream import MAX_JOINING_FRAMES, Frame, TopicStream

Sent = dict[str, list[int]]


def stream_to(sent: Sent, at: int | None = 0) -> TopicStream[str]:
    def deliver(clients: Collection[str], frame: Frame) -> None:
        for client in clients:
            sent.setdefault(client, []).append(frame.seq)

    stream: TopicStream[str] = TopicStream("t", deliver)
    stream.seq = at
    return stream


def frame(seq: int) -> Frame:
    return Frame(seq, b"%d" % seq)


def settle(stream: TopicStream[str], client: str, at: int, missed: list[int]) -> bool:
    return stream.settle(client, at, [frame(seq) for seq in missed], lambda: None)


def test_frames_in_order_go_to_followers_once() -> None:
    sent: Sent = {}
    stream = stream_to(sent)
    stream.begin("a")
    assert settle(stream, "a", 0, [])
    assert [stream.route(frame(seq)) for seq in (1, 2, 2, 1, 3)] == [
        "routed",
        "routed",
        "repeated",
        "repeated",
        "routed",
    ]
    assert sent == {"a": [1, 2, 3]}


def test_nothing_is_passed_on_over_a_gap() -> None:
    sent: Sent = {}
    stream = stream_to(sent)
    stream.begin("a")
    settle(stream, "a", 0, [])
    assert stream.route(frame(2)) == "gap"
    assert stream.highest == 2
    assert sent == {}


def test_frames_that_came_while_the_snapshot_was_fetched_follow_it() -> None:
    sent: Sent = {}
    stream = stream_to(sent, at=10)
    stream.begin("a")
    stream.route(frame(11))
    stream.route(frame(12))
    assert settle(stream, "a", 11, [])
    assert sent == {"a": [12]}


def test_a_client_whose_snapshot_was_newer_waits_for_the_topic() -> None:
    sent: Sent = {}
    stream = stream_to(sent, at=10)
    stream.begin("a")
    assert settle(stream, "a", 12, [])
    for seq in (11, 12, 13):
        stream.route(frame(seq))
    assert sent == {"a": [13]}


def test_an_old_snapshot_is_completed_from_the_buffer() -> None:
    sent: Sent = {}
    stream = stream_to(sent, at=10)
    stream.begin("a")
    stream.route(frame(11))
    assert settle(stream, "a", 8, [9, 10, 11])
    assert sent == {"a": [9, 10, 11]}


def test_a_client_is_not_joined_over_a_gap() -> None:
    sent: Sent = {}
    stream = stream_to(sent, at=10)
    stream.begin("a")
    assert not settle(stream, "a", 7, [9, 10])
    assert sent == {}
    assert "a" in stream.joining


def test_a_client_that_takes_too_long_to_join_has_a_gap() -> None:
    sent: Sent = {}
    stream = stream_to(sent)
    stream.begin("a")
    for seq in range(1, MAX_JOINING_FRAMES + 2):
        stream.route(frame(seq))
    assert not settle(stream, "a", 0, [])


def test_joining_again_replaces_what_was_before() -> None:
    sent: Sent = {}
    stream = stream_to(sent)
    stream.begin("a")
    settle(stream, "a", 0, [])
    stream.route(frame(1))
    stream.begin("a")
    stream.route(frame(2))
    assert settle(stream, "a", 1, [])
    assert sent == {"a": [1, 2]}
    stream.leave("a")
    assert stream.unused


@given(
    arrivals=st.lists(st.integers(0, 12), max_size=60),
    joins=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=4),
)
def test_a_client_sees_all_numbers_from_its_snapshot_on_once_and_in_order(
    arrivals: list[int], joins: list[tuple[int, int]]
) -> None:
    sent: Sent = {}
    stream = stream_to(sent)
    starts: dict[str, int] = {}
    for step, seq in enumerate(arrivals):
        for number, (at_step, position) in enumerate(joins):
            if at_step == step:
                client = f"client-{number}"
                stream.begin(client)
                missed = list(range(position + 1, (stream.seq or 0) + 1))
                assert settle(stream, client, position, missed)
                starts[client] = position
        stream.route(frame(seq))
    for client, position in starts.items():
        reached = max(position, stream.seq or 0)
        assert sent.get(client, []) == list(range(position + 1, reached + 1))
