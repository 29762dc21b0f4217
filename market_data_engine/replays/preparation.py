"""From what was asked for to a run: files found, symbols known, calendars loaded."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from market_data_engine.errors import Refused
from market_data_engine.feeds.feed import Feed
from market_data_engine.feeds.files import FileFeed
from market_data_engine.feeds.live import LiveFeed
from market_data_engine.feeds.synthetic import SyntheticFeed
from market_data_engine.instruments import repository as instruments
from market_data_engine.instruments.actions import DEFAULT_EXCHANGE, add_symbols
from market_data_engine.market_files.actions import MarketFiles
from market_data_engine.replays.clocks import Clock, WallClock
from market_data_engine.replays.marks import Source
from market_data_engine.replays.schemas import ReplayRequest, SyntheticRequest
from market_data_engine.replays.transport import Transport
from market_data_engine.settings import MarketDataSettings
from shared.calendars import ALWAYS_OPEN, CURRENCIES, Calendars
from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import MINUTE_NS

_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Times of the first and last print or quote.
_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class PreparedRun:
    source: Source
    paced: bool
    feed: Feed
    clock: Clock
    #: By symbol.
    calendars: dict[str, SessionCalendar]
    #: As it is stored.
    request: dict[str, Any]
    #: Symbols whose candles are made of quotes.
    quoted: frozenset[str] = frozenset()
    #: What users can press; None: nothing.
    transport: Transport | None = None
    #: Times of the first and last print or quote; None: it has no end.
    span: tuple[datetime, datetime] | None = None
    started_by: UUID | None = None

    @property
    def symbols(self) -> list[str]:
        return self.feed.symbols

    @property
    def total_ticks(self) -> int | None:
        return self.feed.total_ticks


@dataclass(frozen=True, slots=True)
class PreparedLive:
    """A live market; the wall clock is its time, and nobody is waited for."""

    #: Each feed with the symbols that it is followed for.
    followed: list[tuple[LiveFeed, list[str]]]
    calendars: dict[str, SessionCalendar]
    request: dict[str, Any]
    quoted: frozenset[str] = frozenset()

    source: Source = "live"
    paced: bool = False
    total_ticks: int | None = None
    transport: None = None
    span: None = None
    started_by: None = None

    @property
    def symbols(self) -> list[str]:
        return [symbol for _, symbols in self.followed for symbol in symbols]


AnyRun = PreparedRun | PreparedLive


class Preparation:
    """Blocking: call it from a thread."""

    def __init__(
        self,
        engine: Engine,
        calendars: Calendars,
        files: MarketFiles,
        settings: MarketDataSettings,
    ) -> None:
        self._engine = engine
        self._calendars = calendars
        self._files = files
        self._settings = settings

    def prepare(self, request: ReplayRequest) -> PreparedRun | Refused:
        if request.synthetic is not None:
            found: tuple[Feed, _Span] | Refused = self._synthetic(request.synthetic)
        else:
            found = self._of_files(request)
        if isinstance(found, Refused):
            return found
        feed, span = found
        transport = _transport(request, span)
        if isinstance(transport, Refused):
            return transport
        return PreparedRun(
            source="replay" if request.synthetic is None else "synthetic",
            paced=True,
            feed=feed,
            clock=transport,
            calendars=self._calendars_of(feed.symbols),
            quoted=self._quoted(feed.symbols),
            request=request.model_dump(mode="json", exclude_none=True, exclude={"started_by"}),
            transport=transport,
            span=span,
            started_by=request.started_by,
        )

    def simulated(self) -> PreparedRun:
        """A synthetic market in real time, from this minute on and without end."""
        settings = self._settings
        symbols = [name.strip() for name in settings.simulated_symbols.split(",")]
        self._make_known(symbols)
        feed = SyntheticFeed(
            symbols,
            time.time_ns(),
            None,
            settings.simulated_trades_per_minute,
            settings.simulated_seed,
        )
        return PreparedRun(
            source="live",
            paced=False,
            feed=feed,
            clock=WallClock(),
            calendars=self._calendars_of(symbols),
            request={
                "simulated": {
                    "symbols": symbols,
                    "trades_per_minute": settings.simulated_trades_per_minute,
                    "seed": settings.simulated_seed,
                }
            },
        )

    def live(self, followed: list[tuple[LiveFeed, list[str]]]) -> PreparedLive:
        with self._engine.begin() as connection:
            for feed, symbols in followed:
                for exchange in {feed.exchange_of(symbol) for symbol in symbols}:
                    there = [each for each in symbols if feed.exchange_of(each) == exchange]
                    add_symbols(connection, there, exchange)
        symbols = [symbol for _, each in followed for symbol in each]
        return PreparedLive(
            followed,
            self._calendars_of(symbols),
            {"live": {feed.name: symbols for feed, symbols in followed}},
            self._quoted(symbols),
        )

    def _of_files(self, request: ReplayRequest) -> tuple[FileFeed, _Span] | Refused:
        ids = request.files or []
        known = self._files.find_all(ids)
        for file_id in ids:
            if file_id not in known:
                return Refused("unknown_file", f"There is no market file {file_id}.")
        files = [known[file_id] for file_id in ids]
        paths = [self._files.path(file.sha256) for file in files]
        for file, path in zip(files, paths, strict=True):
            if not path.is_file():
                return Refused(
                    "file_missing", f"The content of {file.name} is gone: upload it again."
                )
        trades = sum(file.rows for file in files if file.kind == "trades")
        symbols = list(dict.fromkeys(symbol for file in files for symbol in file.symbols))
        if not trades and not self._quoted(symbols):
            return Refused(
                "no_trades",
                "A replay needs a file of trades: only quotes of currencies make candles.",
            )
        span = min(file.first_at for file in files), max(file.last_at for file in files)
        return FileFeed(paths, [file.name for file in files], symbols, trades), span

    def _synthetic(self, wanted: SyntheticRequest) -> tuple[SyntheticFeed, _Span] | Refused:
        start_ns = int(wanted.start.timestamp()) * _SECOND_NS
        end_ns = start_ns + wanted.minutes * MINUTE_NS
        for symbol, calendar in self._calendars_of(wanted.symbols, ALWAYS_OPEN).items():
            try:
                calendar.session_at(start_ns)
                calendar.session_at(end_ns)
            except OutsideCalendarError as error:
                return Refused("outside_calendar", f"{symbol}: {error}.")
        self._make_known(wanted.symbols)
        feed = SyntheticFeed(
            wanted.symbols,
            start_ns,
            wanted.minutes,
            wanted.trades_per_minute,
            wanted.seed,
            wanted.regime,
        )
        first = datetime.fromtimestamp(start_ns // _SECOND_NS, UTC)
        first -= timedelta(seconds=first.second)
        return feed, (first, first + timedelta(minutes=wanted.minutes, microseconds=-1))

    def _make_known(self, symbols: Sequence[str]) -> None:
        with self._engine.begin() as connection:
            add_symbols(connection, symbols, ALWAYS_OPEN)

    def _quoted(self, symbols: Sequence[str]) -> frozenset[str]:
        with self._engine.connect() as connection:
            exchanges = instruments.exchanges(connection, symbols)
        return frozenset(symbol for symbol, each in exchanges.items() if each == CURRENCIES)

    def _calendars_of(
        self, symbols: Sequence[str], unknown: str = DEFAULT_EXCHANGE
    ) -> dict[str, SessionCalendar]:
        with self._engine.connect() as connection:
            exchanges = instruments.exchanges(connection, symbols)
        return {symbol: self._calendars.of(exchanges.get(symbol, unknown)) for symbol in symbols}


def _transport(request: ReplayRequest, span: _Span) -> Transport | Refused:
    speed = None if request.speed == "max" else float(request.speed)
    first_ns, last_ns = (nanoseconds(moment) for moment in span)
    if request.start_at is None:
        return Transport(speed, (first_ns, last_ns))
    at_ns = nanoseconds(request.start_at)
    if not first_ns - first_ns % MINUTE_NS <= at_ns <= last_ns:
        first, last = (moment.isoformat() for moment in span)
        return Refused("start_outside", f"start_at must be from {first} to {last}.")
    at_ns -= at_ns % MINUTE_NS
    return Transport(speed, (first_ns, last_ns), at_ns if at_ns > first_ns else None)


def nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
