"""How good the candles of one session are, from 0 to 100. Pure. The formula: docs/providers.md."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from market_data_engine.feeds.presence import Span
from market_data_engine.store.stored import Quality, StoredCandle
from shared.candles.calendar import Session
from shared.models.identifiers import Timeframe

_WEIGHTS: Final = {
    "completeness": 0.50,
    "source": 0.15,
    "gaps": 0.15,
    "corrections": 0.10,
    "staleness": 0.10,
}
#: What a candle counts by its quality.
_WORTH: Final[dict[Quality, float]] = {"complete": 1.0, "healed": 0.9, "partial": 0.5}
#: A live candle that is as it is since later than this after its end was corrected.
_IN_TIME_NS: Final = 10 * 1_000_000_000
#: Intervals without news that are fine, and those from which on data is stale altogether.
_FRESH, _STALE = 2, 10


@dataclass(frozen=True, slots=True)
class Assessment:
    """Of one symbol, session and timeframe. Counts are of intervals."""

    #: Those of regular hours that are over.
    expected: int
    present: int
    #: Known to be without trades.
    quiet: int
    partial: int
    healed: int
    corrected: int
    #: The most in a row of which nothing is known.
    longest_gap: int
    #: The last ones of which nothing is known.
    behind: int
    sources: tuple[str, ...]

    def parts(self) -> dict[str, float]:
        """Each from 0 to 1."""
        known = (self.present + self.quiet) / self.expected
        sound = self.present - self.partial - self.healed
        worth = (
            sound * _WORTH["complete"]
            + self.healed * _WORTH["healed"]
            + self.partial * _WORTH["partial"]
        )
        return {
            "completeness": known,
            "source": worth / self.present if self.present else known,
            "gaps": 1 - self.longest_gap / self.expected,
            "corrections": 1 - self.corrected / self.present if self.present else known,
            "staleness": 1 - min(1.0, max(0, self.behind - _FRESH) / (_STALE - _FRESH))
            if known
            else 0.0,
        }

    @property
    def score(self) -> float:
        return round(100 * sum(_WEIGHTS[name] * part for name, part in self.parts().items()), 1)


def assess(
    session: Session,
    timeframe: Timeframe,
    until_ns: int,
    candles: Iterable[StoredCandle],
    quiet: Sequence[Span],
) -> Assessment | None:
    """`candles`: those of the session that are stored. `quiet`: where whoever was listening or
    asked would have told of trades. None while no interval of regular hours is over."""
    by_start = {one.candle.start_ns: one for one in candles}
    merged = _merged(quiet)
    known = []
    present: list[StoredCandle] = []
    for start_ns, end_ns in intervals(session, timeframe, until_ns):
        one = by_start.get(start_ns)
        if one is not None:
            present.append(one)
        known.append(one is not None or _covered(start_ns, end_ns, merged))
    if not known:
        return None
    qualities = [one.quality for one in present]
    return Assessment(
        expected=len(known),
        present=len(present),
        quiet=sum(known) - len(present),
        partial=qualities.count("partial"),
        healed=qualities.count("healed"),
        corrected=sum(map(_is_corrected, present)),
        longest_gap=_longest_gap(known),
        behind=next((n for n, is_known in enumerate(reversed(known)) if is_known), len(known)),
        sources=tuple(sorted({name for one in present for name in one.source.split("+")})),
    )


def intervals(session: Session, timeframe: Timeframe, until_ns: int) -> Iterator[tuple[int, int]]:
    """(start, end) of those that share time with regular hours and are over by then."""
    at_ns = session.regular_open_ns
    while at_ns < session.regular_close_ns:
        start_ns, end_ns = session.interval(timeframe, at_ns)
        if end_ns > until_ns:
            return
        yield start_ns, end_ns
        at_ns = end_ns


def _is_corrected(one: StoredCandle) -> bool:
    own = one.quality != "healed" and "live" in one.source.split("+")
    return own and one.as_of_ns > one.candle.end_ns + _IN_TIME_NS


def _longest_gap(known: Sequence[bool]) -> int:
    longest = running = 0
    for is_known in known:
        running = 0 if is_known else running + 1
        longest = max(longest, running)
    return longest


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.from_ns <= merged[-1].until_ns:
            merged[-1] = Span(merged[-1].from_ns, max(merged[-1].until_ns, span.until_ns))
        else:
            merged.append(span)
    return merged


def _covered(start_ns: int, end_ns: int, spans: Sequence[Span]) -> bool:
    return any(span.from_ns <= start_ns and end_ns <= span.until_ns for span in spans)
