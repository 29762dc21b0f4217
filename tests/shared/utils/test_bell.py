"""The bell of signal handlers."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from shared.utils.bell import Bell

_SIGNALS = 20_000


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


def test_what_rang_before_is_heard_once(bell: Bell) -> None:
    bell.ring()
    bell.ring()
    bell.wait(30)
    bell.wait(0)  # nothing is left of it: it takes its time and comes back


def test_it_rings_more_often_than_it_is_heard(bell: Bell) -> None:
    for _ in range(200_000):
        bell.ring()
    bell.wait(30)


def test_a_handler_that_interrupts_ringing_may_ring_it(bell: Bell) -> None:
    """An Event would wait for a lock that what it interrupts holds."""
    heard = 0

    def handler(_number: int, _frame: object) -> None:
        nonlocal heard
        heard += 1
        bell.ring()

    numbers = (signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.signal(number, handler) for number in numbers}
    done = threading.Event()

    def send() -> None:
        for each in range(_SIGNALS):
            os.kill(os.getpid(), numbers[each % 2])
        done.set()
        bell.ring()

    sender = threading.Thread(target=send)
    try:
        sender.start()
        while not done.is_set():
            bell.ring()
            bell.wait(30)
        sender.join(30)
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
    assert heard > 0
