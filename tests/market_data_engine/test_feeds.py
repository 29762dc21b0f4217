import statistics
from itertools import pairwise

import pytest

from market_data_engine.feeds.synthetic import Regime, SyntheticFeed
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import MarketColumns, TradeColumns
from shared.replays.slices import Slicer

START_NS = 29_454_000 * MINUTE_NS


async def collected(feed: SyntheticFeed) -> TradeColumns:
    whole = TradeColumns(feed.symbols, [], [], [], [])
    async for piece in feed.batches():
        batch = piece.trades
        assert batch.symbols == feed.symbols
        whole.symbol_index.extend(batch.symbol_index)
        whole.at_ns.extend(batch.at_ns)
        whole.price.extend(batch.price)
        whole.size.extend(batch.size)
    return whole


def feed(*symbols: str, seed: int = 7, regime: Regime | None = None) -> SyntheticFeed:
    return SyntheticFeed(list(symbols), START_NS, 240, 120, seed, regime)


async def test_the_same_seed_gives_the_same_prints_and_another_one_others() -> None:
    once = await collected(feed("SIM-TREND", "SIM-RANGE"))
    assert once == await collected(feed("SIM-TREND", "SIM-RANGE"))
    assert once != await collected(feed("SIM-TREND", "SIM-RANGE", seed=8))


async def test_another_symbol_leaves_a_symbols_prints_as_they_were() -> None:
    alone = await collected(feed("SIM-TREND"))
    both = await collected(feed("SIM-TREND", "SIM-RANGE"))
    prices = [price for price, i in zip(both.price, both.symbol_index, strict=True) if i == 0]
    assert prices == alone.price


async def test_prints_come_in_time_order_and_as_many_as_told() -> None:
    wanted = feed("SIM-TREND", "SIM-RANGE")
    whole = await collected(wanted)
    assert len(whole) == wanted.total_ticks == 2 * 240 * 120
    assert whole.at_ns == sorted(whole.at_ns)
    assert whole.at_ns[0] >= START_NS
    assert whole.at_ns[-1] < START_NS + 240 * MINUTE_NS
    assert min(whole.price) > 0
    assert all(round(price, 2) == price for price in whole.price)
    assert all(size > 0 and size == int(size) for size in whole.size)


@pytest.mark.parametrize(("calm", "wild"), [("quiet", "range"), ("range", "volatile")])
async def test_regimes_differ_in_how_far_prices_go(calm: Regime, wild: Regime) -> None:
    spread = {
        regime: statistics.pstdev((await collected(feed("X", regime=regime))).price)
        for regime in (calm, wild)
    }
    assert spread[calm] < spread[wild]


async def test_a_range_stays_near_its_middle_and_a_trend_leaves_it() -> None:
    async def widest(regime: Regime) -> float:
        long = SyntheticFeed(["X"], START_NS, 2000, 10, 3, regime)
        return max(abs(price - 100.0) for price in (await collected(long)).price)

    assert await widest("range") < 4.0 < await widest("trend")


async def test_a_feed_that_is_left_early_ends_cleanly() -> None:
    batches = SyntheticFeed(["X"], START_NS, None, 10, 3).batches()
    first = await anext(batches)
    assert len(first) == 10
    await batches.aclose()  # type: ignore[attr-defined]
    with pytest.raises(StopAsyncIteration):
        await anext(batches)


async def pieces(regime: Regime, minutes: int = 480) -> list[MarketColumns]:
    wanted = SyntheticFeed(["X", "Y"], START_NS, minutes, 20, 7, regime)
    batches = [batch async for batch in wanted.batches()]
    assert sum(len(batch.trades) for batch in batches) == wanted.total_ticks
    again = SyntheticFeed(["X", "Y"], START_NS, minutes, 20, 7, regime)
    assert [batch async for batch in again.batches()] == batches
    return batches


async def closes(regime: Regime) -> list[float]:
    """Of each minute of X; the one before where it had none."""
    by_minute: dict[int, float] = {}
    for batch in await pieces(regime):
        trades = batch.trades
        for index, at_ns, price in zip(
            trades.symbol_index, trades.at_ns, trades.price, strict=True
        ):
            if index == 0:
                by_minute[(at_ns - START_NS) // MINUTE_NS] = price
    return [by_minute[minute] for minute in sorted(by_minute)]


async def test_a_gap_jumps_once_in_two_hours_and_stays() -> None:
    found = await closes("gap")
    jumps = [abs(after / before - 1) for before, after in pairwise(found)]
    assert len([jump for jump in jumps if jump > 0.025]) == 4
    assert max(jumps) < 0.09


async def test_a_flash_crash_falls_by_a_tenth_and_comes_back() -> None:
    found = await closes("flash-crash")
    crashes = 0
    for minute in range(len(found) - 12):
        if found[minute + 3] / found[minute] < 0.92 and found[minute + 1] / found[minute] < 0.98:
            crashes += 1
            assert abs(found[minute + 11] / found[minute] - 1) < 0.03
    assert crashes >= 4


async def test_a_halt_is_told_has_no_prints_and_ends() -> None:
    batches = await pieces("halt")
    told = [
        (at_ns, symbol, halted)
        for batch in batches
        if batch.halts is not None
        for symbol, at_ns, halted in zip(
            batch.halts.symbols, batch.halts.at_ns, batch.halts.halted, strict=True
        )
    ]
    of_x = [(at_ns, halted) for at_ns, symbol, halted in told if symbol == "X"]
    assert [halted for _, halted in of_x] == [True, False] * 4
    for (begin_ns, _), (end_ns, _) in zip(of_x[::2], of_x[1::2], strict=True):
        assert end_ns - begin_ns == 5 * MINUTE_NS
        for batch in batches:
            trades = batch.trades
            assert not any(
                index == 0 and begin_ns <= at_ns < end_ns
                for index, at_ns in zip(trades.symbol_index, trades.at_ns, strict=True)
            )


async def test_slices_end_before_halts_which_come_first_in_theirs() -> None:
    slicer = Slicer(5000)
    slices = [piece for batch in await pieces("halt") for piece in slicer.add(batch)]
    slices += slicer.finish()
    told = 0
    for piece in slices:
        entries = list(piece.entries())
        times = [at_ns for entry in entries for at_ns in entry.at_ns]
        assert times == sorted(times)
        assert all(at_ns < piece.mark_ns for at_ns in times)
        if piece.halts is not None:
            told += len(piece.halts.symbols)
            assert entries[0] is piece.halts
            assert piece.first_ns == piece.halts.at_ns[0] == piece.halts.at_ns[-1]
    assert told == 16
