"""A broker's own names for symbols: put in place of ours on the way there, and back."""

from collections.abc import AsyncIterator

import pytest

from order_processor.brokers.alpaca.client import AlpacaBroker
from order_processor.brokers.errors import OrderRefusedError
from order_processor.brokers.naming import NamedBroker
from shared.mappings import NoNameError
from shared.models.identifiers import Symbol
from tests.brokers.simulated import SimulatedBroker, served
from tests.brokers.test_contract import ticket

OURS = {"BRK.B": "BRK/B"}


def name_of(symbol: str) -> str | None:
    if symbol.endswith(".NSE"):
        raise NoNameError(f"alpaca has no name for {symbol}: it has to be mapped.")
    return OURS.get(symbol)


@pytest.fixture
def simulated() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
async def broker(simulated: SimulatedBroker) -> AsyncIterator[NamedBroker]:
    async with served(simulated) as url:
        alpaca = AlpacaBroker(url, simulated.key, simulated.secret, timeout_s=5)
        broker = NamedBroker(alpaca, name_of, lambda: {token: ours for ours, token in OURS.items()})
        yield broker
        await broker.close()


async def test_an_order_goes_out_under_their_name_and_is_ours_wherever_it_comes_back(
    broker: NamedBroker, simulated: SimulatedBroker
) -> None:
    async with broker.updates() as updates:
        placed = await broker.place(ticket("one", symbol=Symbol("BRK.B")))
        other = await broker.place(ticket("two"))
        assert [one["symbol"] for one in simulated.placed] == ["BRK/B", "SPY"]
        assert (placed.symbol, other.symbol) == ("BRK.B", "SPY")
        assert {one.symbol for one in await broker.open_orders()} == {"BRK.B", "SPY"}
        found = await broker.order("one")
        assert found is not None
        assert found.symbol == "BRK.B"
        await simulated.fill("one", "4", "100")
        async for update in updates:
            names = {"one": "BRK.B", "two": "SPY"}
            assert update.order.symbol == names[update.order.client_order_id]
            if update.execution_id is not None:
                break
    assert [one.symbol for one in await broker.positions()] == ["BRK.B"]


async def test_an_order_for_what_has_no_name_there_is_refused_before_it_is_sent(
    broker: NamedBroker, simulated: SimulatedBroker
) -> None:
    with pytest.raises(OrderRefusedError) as refused:
        await broker.place(ticket(symbol=Symbol("INFY.NSE")))
    assert refused.value.code == "no_symbol_mapping"
    assert simulated.placed == []
