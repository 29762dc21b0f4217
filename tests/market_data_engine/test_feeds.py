import statistics

import pytest

from market_data_engine.feeds.synthetic import Regime, SyntheticFeed
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import TradeColumns

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
