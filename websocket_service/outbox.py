"""Frames that wait for one slow client: bounded, with a stated answer to "full"."""

from collections import deque
from dataclasses import dataclass

from websocket_service.protocol import conflated_message


class OverflowedError(Exception):
    """More frames wait than may, and none of them may be dropped."""


@dataclass
class _Entry:
    frame: bytes
    topic: str | None
    #: Sequence number; 0 for what is no frame of a topic.
    seq: int
    #: Older frames of the topic were left out for this one.
    conflated: bool = False


class Outbox:
    """First in, first out; of market data only the latest per topic once it grows.

    A conflated frame takes the place of the waiting one, with a message before it that says
    so: the client knows that nothing was lost, and may ask for what was left out.
    """

    def __init__(self, conflate_after: int, max_kept: int) -> None:
        self._conflate_after = conflate_after
        self._max_kept = max_kept
        self._entries: deque[_Entry] = deque()
        #: Last waiting frame of each topic that may be conflated.
        self._latest: dict[str, _Entry] = {}
        #: Waiting frames that must not be dropped.
        self._kept = 0
        #: Frames left out so far.
        self.conflated = 0

    def __len__(self) -> int:
        return len(self._entries)

    def allow(self, max_kept: int) -> None:
        """Change how many frames may wait that must not be dropped."""
        self._max_kept = max_kept

    def keep(self, frame: bytes) -> None:
        """Never dropped. Raises OverflowedError when too many of these wait already."""
        if self._kept >= self._max_kept:
            raise OverflowedError
        self._kept += 1
        self._entries.append(_Entry(frame, None, 0))

    def latest(self, topic: str, seq: int, frame: bytes) -> None:
        """May replace a waiting frame of the same topic."""
        waiting = self._latest.get(topic)
        if waiting is not None and len(self._entries) >= self._conflate_after:
            waiting.frame, waiting.seq, waiting.conflated = frame, seq, True
            self.conflated += 1
            return
        entry = _Entry(frame, topic, seq)
        self._entries.append(entry)
        self._latest[topic] = entry

    def pop(self) -> tuple[bytes, ...]:
        """The messages to send next, in order. Raises IndexError when none waits."""
        entry = self._entries.popleft()
        if entry.topic is None:
            self._kept -= 1
            return (entry.frame,)
        if self._latest.get(entry.topic) is entry:
            del self._latest[entry.topic]
        if entry.conflated:
            return (conflated_message(entry.topic, entry.seq), entry.frame)
        return (entry.frame,)
