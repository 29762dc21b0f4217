"""When a live feed was there, and so told all there was. Pure: times are passed in."""

from typing import NamedTuple


class Span(NamedTuple):
    from_ns: int
    #: Exclusive.
    until_ns: int


#: Spans that are remembered; whoever keeps them for good asks far more often than feeds are lost.
_MOST = 1000


class Presence:
    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._heard_ns = 0
        self._over: list[Span] = []

    def stood(self, at_ns: int) -> None:
        """The subscription stands."""
        if self._since_ns is None:
            self._since_ns = self._heard_ns = at_ns

    def heard(self, at_ns: int) -> None:
        self._heard_ns = max(self._heard_ns, at_ns)

    def lost(self) -> None:
        """Since it was last heard of nothing is certain: a connection that is dead is noticed
        late."""
        if self._since_ns is not None and self._heard_ns > self._since_ns:
            self._over = [*self._over, Span(self._since_ns, self._heard_ns)][-_MOST:]
        self._since_ns = None

    def covers(self, from_ns: int) -> bool:
        """Whether it has been there from then until now, as far as is known yet."""
        return self._since_ns is not None and self._since_ns <= from_ns

    def spans(self, now_ns: int) -> list[Span]:
        """All that are known, the last one up to now when it is there."""
        if self._since_ns is None or now_ns <= self._since_ns:
            return list(self._over)
        return [*self._over, Span(self._since_ns, now_ns)]
