"""Which symbols have lost their live feed. Pure: both clocks are passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from market_data_engine.feeds.following import FeedStatus
from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing has come for it since then, and something should have."""

    feed: str
    since: datetime
    #: A sentence for people.
    reason: str


class Silence:
    """A connected feed is silent when nothing of it has come for `stale_s` of regular hours: before
    and after them, minutes without a print are common. One that isn't connected, in any hours of
    the session. It ends when something comes.
    """

    def __init__(
        self,
        feeds: Sequence[FeedStatus],
        calendars: Mapping[str, SessionCalendar],
        stale_s: float,
        now_s: float,
    ) -> None:
        self._feeds = list(feeds)
        self._calendars = calendars
        self._stale_s = stale_s
        self._began_s = now_s
        self._silent: dict[str, Silent] = {}
        #: When the silence was noticed; what is heard later ends it.
        self._noticed_s: dict[str, float] = {}

    @property
    def symbols(self) -> set[str]:
        return {symbol for feed in self._feeds for symbol in feed.symbols}

    def go_on(self, known: Mapping[str, Silent]) -> None:
        """What was silent when whoever looked before ended, is, until something comes."""
        for symbol, silent in known.items():
            if symbol in self.symbols:
                self._silent[symbol] = silent
                self._noticed_s[symbol] = self._began_s

    def look(self, now_s: float, wall_ns: int) -> dict[str, Silent]:
        """The silent symbols. `now_s` is the monotonic clock of the feeds' statuses."""
        for feed in self._feeds:
            for symbol in feed.symbols:
                heard_s = feed.heard_s
                noticed_s = self._noticed_s.get(symbol)
                if noticed_s is None:
                    since_ns = self._silent_since(feed, symbol, now_s, wall_ns)
                    if since_ns is not None:
                        self._silent[symbol] = _silent(feed, since_ns)
                        self._noticed_s[symbol] = now_s
                elif heard_s is not None and heard_s > noticed_s:
                    del self._silent[symbol], self._noticed_s[symbol]
            feed.stale = any(symbol in self._silent for symbol in feed.symbols)
        return dict(self._silent)

    def _silent_since(
        self, feed: FeedStatus, symbol: str, now_s: float, wall_ns: int
    ) -> int | None:
        try:
            session = self._calendars[symbol].session_at(wall_ns)
        except OutsideCalendarError:
            return None
        if feed.state == "live":
            open_ns, close_ns = session.regular_open_ns, session.regular_close_ns
        else:
            open_ns, close_ns = session.open_ns, session.close_ns
        if not open_ns <= wall_ns < close_ns:
            return None
        last_s = self._began_s if feed.heard_s is None else feed.heard_s
        since_ns = max(open_ns, wall_ns - int((now_s - last_s) * 1e9))
        return since_ns if wall_ns - since_ns >= self._stale_s * 1e9 else None


def _silent(feed: FeedStatus, since_ns: int) -> Silent:
    since = datetime.fromtimestamp(since_ns // 1_000_000_000, UTC)
    why = f" {feed.problem}" if feed.problem else ""
    text = f"{since:%Y-%m-%d %H:%M:%S}"
    return Silent(feed.name, since, f"Nothing has come from {feed.name} since {text} UTC.{why}")
