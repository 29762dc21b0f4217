"""Candles that are made again are what they would have been, in all timeframes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from msgspec import structs

from market_data_engine.feeds.events import Print
from market_data_engine.history.memory import CandleMemory
from market_data_engine.live.amender import Amender
from market_data_engine.live.recent import RecentPrints, minute_of
from market_data_engine.store.stored import StoredCandle
from shared.candles.builder import CandleBuilder
from shared.candles.calendar import SessionCalendar
from shared.market_files.columns import MarketColumns, TradeColumns
from shared.models.identifiers import TIMEFRAMES, Symbol
from shared.models.market import Candle, Quotes, Trades
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice, Slicer
from tests.shared.candles.sessions import MINUTE, SECOND, new_york, ns

ABC = Symbol("ABC")
NO_TRADES = Trades([], [], [], [], [])


def _columns(prints: list[Print]) -> MarketColumns:
    at_ns, price, size = zip(*((one.at_ns, one.price, one.size) for one in prints), strict=True)
    index = [0] * len(prints)
    return MarketColumns(TradeColumns([ABC], index, list(at_ns), list(price), list(size)))


@dataclass
class Market:
    """A run whose prints are all recent."""

    calendar: SessionCalendar
    quoted: Sequence[str] = ()
    memory: CandleMemory = field(default_factory=CandleMemory)
    recent: RecentPrints = field(default_factory=RecentPrints)
    corrected: list[Candle] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.candles = RunCandles({ABC: self.calendar}, self.quoted)
        self.memory.begin(ABC, self.candles)
        self.amender = Amender(self.candles, self.memory, {ABC: self.calendar})

    def play(self, prints: list[Print], until_ns: int) -> None:
        self.recent.add(prints)
        slicer = Slicer(1000)
        pieces = [*slicer.add(_columns(prints)), *slicer.finish()] if prints else []
        for piece in pieces:
            self._keep(self.candles.add(piece))
        self._keep(self.candles.advance(until_ns))

    def _keep(self, completed: list[Candle]) -> None:
        for candle in completed:
            self.memory.add(StoredCandle(candle, "live", "complete", candle.end_ns))

    def come_late(self, *prints: Print) -> None:
        self.recent.add(prints)
        self.amend(*prints)

    def amend(self, *prints: Print) -> None:
        minutes = dict.fromkeys(minute_of(ABC, one.at_ns) for one in prints)
        self.corrected = self.amender.amend(self.recent, minutes)

    def all(self) -> list[Candle]:
        """Completed ones by timeframe, and the forming ones."""
        found: list[Candle] = []
        for timeframe in TIMEFRAMES:
            found += [one.candle for one in self.memory.last(ABC, timeframe, 500)]
            forming = self.candles.forming(ABC, timeframe)
            found += [] if forming is None else [forming]
        return found


def made_at_once(calendar: SessionCalendar, prints: list[Print], until_ns: int) -> list[Candle]:
    builder = CandleBuilder(ABC, calendar)
    prints = sorted(prints, key=lambda one: one.at_ns)
    made = builder.add_trades(
        [one.at_ns for one in prints], [one.price for one in prints], [one.size for one in prints]
    )
    made += builder.advance(until_ns)
    by_timeframe = []
    for timeframe in TIMEFRAMES:
        by_timeframe += [candle for candle in made if candle.timeframe == timeframe]
        forming = builder.forming(timeframe)
        by_timeframe += [] if forming is None else [forming]
    return by_timeframe


def values(candles: list[Candle]) -> list[Candle]:
    """An average may differ in its last digits."""
    return [structs.replace(one, vwap=round(one.vwap, 9)) for one in candles]


def a_print(at_ns: int, price: float, name: str | None = None) -> Print:
    return Print(ABC, at_ns, price, 10.0, name)


#: A plain day; the morning after clocks went forward; a half day up to its close and after it.
DAYS = ["2026-03-04 14:30", "2026-03-09 13:25", "2025-11-28 17:40"]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("seed", range(4))
def test_with_late_prints_all_timeframes_are_what_they_would_have_been_in_time(
    day: str, seed: int
) -> None:
    random = Random(f"{day}{seed}")
    calendar = new_york("2025-11-01", "2026-03-31", early_closes={"2025-11-28": "13:00"})
    start_ns = ns(day)
    prints = [
        a_print(start_ns + random.randrange(90 * MINUTE), random.randint(900, 1100) / 10)
        for _ in range(80)
    ]
    late = random.sample(prints, 12)
    until_ns = start_ns + 93 * MINUTE + 30 * SECOND
    market = Market(calendar)
    market.play(
        sorted((one for one in prints if one not in late), key=lambda one: one.at_ns), until_ns
    )
    for one in late:
        market.come_late(one)
    wanted = made_at_once(calendar, prints, until_ns)
    assert values(market.all()) == values(wanted)
    assert market.candles.counts()["1m"] == sum(one.timeframe == "1m" for one in wanted)


def test_what_is_taken_back_takes_its_high_with_it_in_all_timeframes() -> None:
    calendar = new_york("2026-03-01", "2026-03-31")
    start_ns = ns("2026-03-04 14:30")
    wrong = a_print(start_ns + 20 * SECOND, 999.0, "W")
    prints = [a_print(start_ns + second * SECOND, 100.0 + second) for second in (1, 40, 70, 400)]
    until_ns = start_ns + 31 * MINUTE
    market = Market(calendar)
    market.play(sorted([*prints, wrong], key=lambda one: one.at_ns), until_ns)
    assert market.recent.undo(ABC, "W") == wrong
    market.amend(wrong)
    assert values(market.all()) == values(made_at_once(calendar, prints, until_ns))
    assert [one.timeframe for one in market.corrected] == ["1m", "3m", "5m", "15m", "30m", "1h"]


def test_a_print_of_the_minute_under_way_corrects_nothing_that_is_complete() -> None:
    calendar = new_york("2026-03-01", "2026-03-31")
    start_ns = ns("2026-03-04 14:30")
    market = Market(calendar)
    market.play([], start_ns + 30 * SECOND)
    late = [a_print(start_ns + 20 * SECOND, 7.0), a_print(start_ns + 10 * SECOND, 9.0)]
    market.come_late(*late)
    assert market.corrected == []
    market.play([a_print(start_ns + 40 * SECOND, 8.0)], start_ns + MINUTE)
    [minute] = (one.candle for one in market.memory.last(ABC, "1m", 9))
    assert (minute.open, minute.high, minute.low, minute.close) == (9.0, 9.0, 7.0, 8.0)


def test_made_again_the_same_a_candle_is_no_correction() -> None:
    calendar = new_york("2026-03-01", "2026-03-31")
    one = a_print(ns("2026-03-04 14:30"), 10.0)
    market = Market(calendar)
    market.play([one], one.at_ns + 2 * MINUTE)
    market.amend(one)
    assert market.corrected == []


def test_late_prints_change_nothing_that_a_provider_has_told() -> None:
    """However long the grace: of a healed minute the run may know few prints."""
    calendar = new_york("2026-03-01", "2026-03-31")
    start_ns = ns("2026-03-04 14:30")
    market = Market(calendar)
    prints = [a_print(start_ns + minute * MINUTE, 100.0 + minute) for minute in range(16)]
    market.play(prints, start_ns + 16 * MINUTE)
    [minute] = market.memory.between(ABC, "1m", start_ns, start_ns + MINUTE)
    [three] = market.memory.between(ABC, "3m", start_ns, start_ns + 3 * MINUTE)
    now_ns = start_ns + 16 * MINUTE
    healed = [
        StoredCandle(structs.replace(one, volume=7e6), "alpaca", "healed", now_ns)
        for one in (minute, three)
    ]
    market.memory.healed.note(healed)
    market.memory.heal(healed)
    before = market.all()
    market.come_late(a_print(start_ns + 20 * SECOND, 999.0))
    assert market.corrected == []
    assert market.all() == before
    # A print of the next minute amends that minute; the healed candle above it is folded again.
    market.come_late(a_print(start_ns + MINUTE + 20 * SECOND, 999.0))
    assert [one.timeframe for one in market.corrected] == ["1m", "5m", "15m"]
    assert market.memory.between(ABC, "3m", start_ns, start_ns + 1)[0].volume == 7e6
    assert market.memory.healed.outdated() == [(ABC, three.start_ns, three.end_ns)]


def test_a_currency_s_candles_are_of_its_quotes_whatever_prints_come_late() -> None:
    calendar = new_york("2026-03-01", "2026-03-31")
    start_ns = ns("2026-03-04 14:30")
    market = Market(calendar, quoted=[ABC])
    quotes = Quotes([ABC], [0], [start_ns + SECOND], [9.0], [11.0], [1.0], [1.0])
    market._keep(market.candles.add(Slice(NO_TRADES, start_ns + MINUTE, quotes)))
    forming = Quotes([ABC], [0], [start_ns + MINUTE], [19.0], [21.0], [1.0], [1.0])
    market._keep(market.candles.add(Slice(NO_TRADES, start_ns + MINUTE + 5 * SECOND, forming)))
    before = market.all()
    assert {one.close for one in before if one.timeframe == "1m"} == {10.0, 20.0}
    market.come_late(a_print(start_ns + 20 * SECOND, 999.0))
    market.come_late(a_print(start_ns + MINUTE + SECOND, 999.0))
    assert market.corrected == []
    assert market.all() == before
