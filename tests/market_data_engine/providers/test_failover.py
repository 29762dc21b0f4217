"""Who is asked, in which order, and what becomes of failures. The providers are the real clients;
behind them are servers that speak their vendors' words."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from market_data_engine.providers.configuration import (
    BreakerSettings,
    Configuration,
    RateLimit,
)
from market_data_engine.providers.limits import RateLimits
from market_data_engine.providers.providers import NoProviderError, Providers
from market_data_engine.vendors.alpaca.history import AlpacaHistory
from market_data_engine.vendors.yahoo.history import YahooHistory
from shared.candles.timeframes import MINUTE_NS
from shared.mappings import NoNameError
from tests.market_data_engine.vendors.history import KEY, SECRET, HistoryServer, history_server
from tests.market_data_engine.vendors.test_history import START_NS, bars


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[HistoryServer, HistoryServer]]:
    with history_server() as first, history_server() as second:
        yield first, second


@pytest.fixture
def alpaca(servers: tuple[HistoryServer, HistoryServer]) -> HistoryServer:
    return sound(servers[0])


@pytest.fixture
def yahoo(servers: tuple[HistoryServer, HistoryServer]) -> HistoryServer:
    return sound(servers[1])


def sound(server: HistoryServer) -> HistoryServer:
    server.status, server.asked, server.bars = None, [], {"AAPL": bars(5)}
    return server


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def providers(
    alpaca: HistoryServer, yahoo: HistoryServer, clock: Clock
) -> AsyncIterator[Providers]:
    terms = BreakerSettings(failures=2, cooldown_s=30)
    found = Providers(Configuration(breaker=terms), clock_s=clock)
    found.add(AlpacaHistory(alpaca.url, "iex", KEY, SECRET, permit=found.permit("alpaca")))
    found.add(YahooHistory(yahoo.url, permit=found.permit("yahoo")))
    yield found
    await found.close()


async def source(providers: Providers, symbol: str = "AAPL") -> str:
    end_ns = START_NS + 5 * MINUTE_NS
    return (await providers.bars(symbol, "1m", START_NS, end_ns, expected=5)).provider


async def test_the_first_of_the_policy_answers_while_it_is_well(
    providers: Providers, yahoo: HistoryServer
) -> None:
    assert await source(providers) == "alpaca"
    assert yahoo.asked == []


async def test_when_one_fails_the_next_answers_and_the_failed_one_is_soon_left_alone(
    providers: Providers, alpaca: HistoryServer
) -> None:
    alpaca.status = 500
    assert [await source(providers) for _ in range(4)] == ["yahoo"] * 4
    assert len(alpaca.asked) == 2  # then its breaker was open
    watched = providers.watched["alpaca"]
    assert providers.see(watched).breaker == 0
    assert not watched.standing.promoted
    assert watched.problem == "Alpaca answered HTTP 500."


async def test_who_comes_back_gets_its_place_again_after_an_attempt(
    providers: Providers, alpaca: HistoryServer, clock: Clock
) -> None:
    alpaca.status = 500
    for _ in range(2):
        await source(providers)
    alpaca.status = None
    clock.now_s += 31
    providers.see(providers.watched["alpaca"])
    # Half-open, and its errors still count: it stays behind the one that is well.
    assert await source(providers) == "yahoo"
    clock.now_s += 600
    providers.see(providers.watched["alpaca"])
    assert await source(providers) == "alpaca"
    assert providers.see(providers.watched["alpaca"]).score == 1.0


async def test_who_asks_for_patience_is_left_alone_for_that_long(
    providers: Providers, alpaca: HistoryServer, clock: Clock
) -> None:
    alpaca.status = 429
    assert await source(providers) == "yahoo"
    alpaca.status = None
    clock.now_s += 6.9
    assert await source(providers) == "yahoo"
    clock.now_s += 0.2
    assert await source(providers) == "alpaca"


async def test_when_nobody_can_answer_it_says_why_and_when_to_ask_again(
    providers: Providers, alpaca: HistoryServer, yahoo: HistoryServer
) -> None:
    alpaca.status, yahoo.status = 429, 500
    with pytest.raises(NoProviderError, match=r"429.*500") as nobody:
        await source(providers)
    assert (nobody.value.declined, nobody.value.retry_after_s) == (False, 7)


async def test_it_is_final_only_when_all_have_said_that_there_is_no_answer(
    providers: Providers, alpaca: HistoryServer, yahoo: HistoryServer
) -> None:
    alpaca.status = yahoo.status = 404
    with pytest.raises(NoProviderError) as nobody:
        await source(providers)
    assert nobody.value.declined
    alpaca.status = 429
    for _ in range(2):  # the second time Alpaca isn't even asked
        with pytest.raises(NoProviderError) as nobody:
            await source(providers)
        assert not nobody.value.declined


async def test_policies_are_per_capability_and_swapped_while_it_runs(
    providers: Providers, alpaca: HistoryServer
) -> None:
    swapped = providers.configuration.model_copy(
        update={"policies": {"bars_1m": ["yahoo"], "bars_1d": ["alpaca"], "trades": ["alpaca"]}}
    )
    providers.apply(swapped)
    assert await source(providers) == "yahoo"
    assert [one.provider.name for one in providers.order("trades")] == ["alpaca"]
    assert alpaca.asked == []


async def test_a_provider_that_leaves_out_much_is_less_complete(
    providers: Providers, alpaca: HistoryServer
) -> None:
    alpaca.bars["AAPL"] = bars(5)[:2]
    await source(providers)
    assert providers.see(providers.watched["alpaca"]).completeness == pytest.approx(0.4)


# --- rate limits ---------------------------------------------------------------------------------


async def test_engines_share_one_rate_limit(redis: Redis) -> None:
    one, other = RateLimits(redis), RateLimits(redis)
    limit = RateLimit(requests_per_minute=6, burst=3)
    waits = [await who.take("alpaca", limit) for who in (one, other, one, other)]
    assert waits[:3] == [0, 0, 0]
    assert 9 < waits[3] <= 10
    assert await one.take("yahoo", limit) == 0  # each provider has its own


async def test_waiting_for_the_rate_limit_is_not_the_providers_slowness(
    redis: Redis, alpaca: HistoryServer
) -> None:
    limits = {"alpaca": RateLimit(requests_per_minute=600, burst=1)}
    found = Providers(Configuration(limits=limits), RateLimits(redis))
    found.add(AlpacaHistory(alpaca.url, "iex", KEY, SECRET, permit=found.permit("alpaca")))
    for _ in range(4):
        await source(found)
    await found.close()
    latencies = [call.latency_s for call in found.watched["alpaca"].record._calls]
    assert sum(latencies) < 0.3  # at least that was waited


async def test_a_provider_is_asked_by_its_own_name_and_not_at_all_without_one(
    providers: Providers, alpaca: HistoryServer, yahoo: HistoryServer
) -> None:
    def name_of(provider: str, symbol: str) -> str | None:
        if provider == "alpaca" and symbol == "A.NSE":
            raise NoNameError("alpaca has no name for A.NSE: it has to be mapped.")
        return {"A.NSE": "A.NS"}.get(symbol)

    providers._name_of = name_of
    yahoo.bars["A.NS"] = yahoo.bars["BRK-B"] = bars(5)
    alpaca.status = 404
    told = await providers.bars("A.NSE", "1m", START_NS, START_NS + 5 * MINUTE_NS)
    assert (told.provider, len(told.rows)) == ("yahoo", 5)
    assert alpaca.asked == []
    await providers.bars("BRK.B", "1m", START_NS, START_NS + 5 * MINUTE_NS)
    assert [path for path, _ in yahoo.asked] == [
        "/v8/finance/chart/A.NS", "/v8/finance/chart/BRK-B",
    ]  # fmt: skip
