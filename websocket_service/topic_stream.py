"""One topic's frames in order, and how far each client has come with them. No I/O.

Most clients are at the topic's own position and need no bookkeeping (`followers`). One whose
snapshot was newer waits until the topic has caught up with it (`ahead`). One whose snapshot is
still being fetched collects what comes in the meantime (`joining`).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

C = TypeVar("C")

#: Frames kept for a client while its snapshot is being fetched; beyond, it must ask again.
MAX_JOINING_FRAMES = 10_000


class Frame(NamedTuple):
    seq: int
    body: bytes


Deliver = Callable[[Collection[C], Frame], None]


class TopicStream(Generic[C]):
    def __init__(self, name: str, deliver: Deliver[C]) -> None:
        self.name = name
        self._deliver = deliver
        #: Number of the last frame routed; None until the topic's position is known.
        self.seq: int | None = None
        #: Highest number seen: above `seq` while frames are missing.
        self.highest = 0
        self.followers: set[C] = set()
        self.ahead: dict[C, int] = {}
        self.joining: dict[C, list[Frame]] = {}

    @property
    def unused(self) -> bool:
        return not (self.followers or self.ahead or self.joining)

    def route(self, frame: Frame) -> Literal["routed", "repeated", "gap"]:
        """Pass on a frame if it is the next one; else nothing is passed on."""
        self.highest = max(self.highest, frame.seq)
        if self.seq is None or frame.seq > self.seq + 1:
            return "gap"
        if frame.seq <= self.seq:
            return "repeated"
        self.seq = frame.seq
        if self.followers:
            self._deliver(self.followers, frame)
        if self.joining:
            self._keep_for_joining(frame)
        if self.ahead:
            self._let_catch_up()
        return "routed"

    def _keep_for_joining(self, frame: Frame) -> None:
        for frames in self.joining.values():
            if len(frames) < MAX_JOINING_FRAMES:
                frames.append(frame)

    def _let_catch_up(self) -> None:
        assert self.seq is not None
        level = [client for client, seq in self.ahead.items() if seq <= self.seq]
        for client in level:
            del self.ahead[client]
            self.followers.add(client)

    def begin(self, client: C) -> list[Frame]:
        """The client starts to join (again): its frames from now on are collected here."""
        self.leave(client)
        frames: list[Frame] = []
        self.joining[client] = frames
        return frames

    def settle(
        self, client: C, position: int, missed: Sequence[Frame], opening: Callable[[], None]
    ) -> bool:
        """End joining at `position`: `opening`, then the frames that came after it.

        `missed` (from the buffer) and what was collected are delivered without repetition;
        False, and nothing done, when together they leave a gap.
        """
        assert self.seq is not None
        frames: list[Frame] = []
        reached = position
        for frame in [*missed, *self.joining[client]]:
            if frame.seq == reached + 1:
                frames.append(frame)
                reached = frame.seq
        if reached < self.seq:
            return False
        del self.joining[client]
        opening()
        for frame in frames:
            self._deliver((client,), frame)
        if reached == self.seq:
            self.followers.add(client)
        else:
            self.ahead[client] = reached
        return True

    def leave(self, client: C) -> None:
        self.followers.discard(client)
        self.ahead.pop(client, None)
        self.joining.pop(client, None)

    def restart(self, seq: int) -> list[C]:
        """Begin anew at `seq`; the clients that have to join again."""
        self.seq = self.highest = seq
        stranded = [*self.followers, *self.ahead]
        self.followers.clear()
        self.ahead.clear()
        for frames in self.joining.values():
            frames.clear()
        return stranded
