"""What is over, kept for a while for commands that come again."""

from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Past(dict[K, V]):
    """Oldest first. Only what is durable is forgotten, because then it can be looked up."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept
        #: So many, from the oldest, were there when the batch under way was sealed.
        self._sealed = 0

    def seal(self) -> None:
        """All that is there now goes into the batch that is being committed."""
        self._sealed = len(self)

    def forget(self) -> None:
        """What was sealed is durable: drop the oldest of it that are too many."""
        surplus = min(len(self) - self._kept, self._sealed)
        for key in list(islice(self, max(0, surplus))):
            del self[key]
        self._sealed = 0
