"""Candles of currencies: the middle of quotes, since nobody tells their prints."""

from datetime import date, datetime

from shared.calendars.currencies import currency_sessions
from shared.models.identifiers import Symbol
from shared.models.market import Candle, Quotes, Trades
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice

EUR, SPY = Symbol("EUR/USD"), Symbol("SPY")
SECOND_NS = 1_000_000_000
OPEN_NS = int(datetime.fromisoformat("2024-01-14T22:00Z").timestamp()) * SECOND_NS
CALENDAR = currency_sessions(date(2024, 1, 15), date(2024, 1, 19))


def quotes(*rows: tuple[int, float, float], symbol: Symbol = EUR) -> Quotes:
    """Seconds after the open, bid, ask."""
    return Quotes(
        symbols=[symbol],
        symbol_index=[0] * len(rows),
        at_ns=[OPEN_NS + row[0] * SECOND_NS for row in rows],
        bid=[row[1] for row in rows],
        ask=[row[2] for row in rows],
        bid_size=[1.0] * len(rows),
        ask_size=[1.0] * len(rows),
    )


def prints(symbol: Symbol, *rows: tuple[int, float]) -> Trades:
    return Trades(
        symbols=[symbol] if rows else [],
        symbol_index=[0] * len(rows),
        at_ns=[OPEN_NS + row[0] * SECOND_NS for row in rows],
        price=[row[1] for row in rows],
        size=[100.0] * len(rows),
    )


NOTHING = prints(EUR)
MARK_NS = OPEN_NS + 60 * SECOND_NS


def test_each_quote_with_both_sides_counts_with_its_middle_and_no_volume() -> None:
    run = RunCandles({EUR: CALENDAR}, {EUR})
    told = quotes((0, 1.0, 1.5), (20, 2.0, 2.5), (30, 0.0, 9.0), (40, 0.5, 1.0), (59, 1.0, 1.25))
    minute = run.add(Slice(NOTHING, MARK_NS, told))[0]
    assert (minute.timeframe, minute.start_ns, minute.end_ns) == ("1m", OPEN_NS, MARK_NS)
    assert (minute.open, minute.high, minute.low, minute.close) == (1.25, 2.25, 0.75, 1.125)
    assert (minute.trades, minute.volume, minute.vwap) == (4, 0.0, 1.125)
    assert run.last_prices == {EUR: 1.125}


def test_a_quote_of_one_side_alone_makes_no_candle() -> None:
    run = RunCandles({EUR: CALENDAR}, {EUR})
    assert run.add(Slice(NOTHING, MARK_NS, quotes((1, 1.0, 0.0)))) == []
    assert not run.has(EUR)


def test_prints_of_a_currency_count_until_its_first_quote() -> None:
    run = RunCandles({EUR: CALENDAR}, {EUR})
    assert _minutes(run.add(Slice(prints(EUR, (1, 7.0)), MARK_NS))) == [7.0]
    later = Slice(prints(EUR, (61, 7.5)), MARK_NS + 60 * SECOND_NS, quotes((62, 1.0, 1.5)))
    assert _minutes(run.add(later)) == [1.25]
    assert set(run.changed_by(later)) == {EUR}
    last = Slice(prints(EUR, (121, 7.5)), MARK_NS + 120 * SECOND_NS)
    assert _minutes(run.add(last)) == []


def _minutes(completed: list[Candle]) -> list[float]:
    return [one.close for one in completed if one.timeframe == "1m"]


def test_other_symbols_have_candles_of_prints_alone() -> None:
    run = RunCandles({SPY: CALENDAR}, {EUR})
    piece = Slice(prints(SPY, (1, 7.0)), MARK_NS, quotes((2, 1.0, 1.5), symbol=SPY))
    assert _minutes(run.add(piece)) == [7.0]
    assert run.changed_by(piece) == [SPY]
