import pytest

from websocket_service.outbox import Outbox, OverflowedError
from websocket_service.protocol import conflated_message


def everything(outbox: Outbox) -> list[bytes]:
    messages: list[bytes] = []
    while outbox:
        messages.extend(outbox.pop())
    return messages


def test_a_short_queue_loses_nothing_and_keeps_the_order() -> None:
    outbox = Outbox(conflate_after=10, max_kept=10)
    outbox.latest("a", 1, b"a1")
    outbox.keep(b"order")
    outbox.latest("a", 2, b"a2")
    assert everything(outbox) == [b"a1", b"order", b"a2"]
    assert outbox.conflated == 0


def test_a_long_queue_keeps_only_the_latest_of_each_market_topic_and_says_so() -> None:
    outbox = Outbox(conflate_after=2, max_kept=10)
    outbox.latest("a", 1, b"a1")
    outbox.latest("b", 1, b"b1")
    for seq in range(2, 100):
        outbox.latest("a", seq, b"a%d" % seq)
    assert len(outbox) == 2
    assert outbox.conflated == 98
    assert everything(outbox) == [conflated_message("a", 99), b"a99", b"b1"]


def test_a_topic_is_told_of_as_conflated_only_where_frames_were_left_out() -> None:
    outbox = Outbox(conflate_after=1, max_kept=10)
    outbox.latest("a", 1, b"a1")
    outbox.latest("a", 2, b"a2")
    assert everything(outbox) == [conflated_message("a", 2), b"a2"]
    outbox.latest("a", 3, b"a3")
    assert everything(outbox) == [b"a3"]


def test_what_must_not_be_dropped_is_kept_up_to_the_bound_and_then_refused() -> None:
    outbox = Outbox(conflate_after=1, max_kept=3)
    for number in range(3):
        outbox.keep(b"%d" % number)
    with pytest.raises(OverflowedError):
        outbox.keep(b"3")
    assert outbox.pop() == (b"0",)
    outbox.keep(b"3")
    assert everything(outbox) == [b"1", b"2", b"3"]


def test_market_data_does_not_use_up_the_room_of_what_must_be_kept() -> None:
    outbox = Outbox(conflate_after=100, max_kept=2)
    for seq in range(50):
        outbox.latest("a", seq, b"a")
    outbox.keep(b"1")
    outbox.keep(b"2")
    assert len(outbox) == 52
