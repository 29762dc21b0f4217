"""What every connector promises, against a broker that is slow, wrong, or gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from order_processor.brokers.alpaca.client import AlpacaBroker
from order_processor.brokers.broker import Broker, OrderTicket, Revision, capability_fault
from order_processor.brokers.errors import (
    BrokerAwayError,
    BrokerError,
    BrokerStoppedError,
    OrderRefusedError,
    OutcomeUnknownError,
)
from shared.models.identifiers import Symbol
from tests.brokers.simulated import SimulatedBroker, served

CONNECTORS: dict[str, Callable[[str, str, str], Broker]] = {
    "alpaca": lambda url, key, secret: AlpacaBroker(url, key, secret, timeout_s=0.5)
}


@pytest.fixture
def simulated() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture(params=CONNECTORS)
async def broker(
    request: pytest.FixtureRequest, simulated: SimulatedBroker
) -> AsyncIterator[Broker]:
    async with served(simulated) as url:
        broker = CONNECTORS[request.param](url, simulated.key, simulated.secret)
        yield broker
        await broker.close()


def ticket(name: str = "one", **changes: Any) -> OrderTicket:
    order = {
        "client_order_id": name,
        "symbol": Symbol("SPY"),
        "side": "buy",
        "order_type": "limit",
        "time_in_force": "gtc",
        "qty": Decimal(10),
        "limit_price": Decimal("100.50"),
    }
    return OrderTicket(**(order | changes))


async def test_an_order_is_placed_found_listed_and_cancelled(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    placed = await broker.place(ticket())
    assert (placed.status, placed.filled_qty, placed.qty) == ("working", 0, 10)
    assert simulated.placed[0]["limit_price"] == "100.5"
    assert await broker.order("one") == placed
    assert await broker.open_orders() == [placed]
    await broker.cancel(placed.broker_order_id)
    ended = await broker.order("one")
    assert ended is not None
    assert ended.status == "cancelled"
    assert await broker.open_orders() == []


async def test_an_order_that_was_never_taken_is_none(broker: Broker) -> None:
    assert await broker.order("never") is None


async def test_the_same_client_order_id_again_gives_the_first_order(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    first = await broker.place(ticket())
    await simulated.fill("one", "4", "100")
    again = await broker.place(ticket())
    assert again.broker_order_id == first.broker_order_id
    assert again.filled_qty == 4
    assert len(simulated.orders) == 1


async def test_a_replaced_order_ends_and_its_successor_works(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    old = await broker.place(ticket())
    new = await broker.replace(
        old.broker_order_id, Revision(client_order_id="two", limit_price=Decimal(99))
    )
    assert (new.client_order_id, new.status) == ("two", "working")
    ended = await broker.order("one")
    assert ended is not None
    assert ended.status == "replaced"


async def test_cash_and_positions_are_told_exactly(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    await broker.place(ticket(qty=Decimal("10")))
    await simulated.fill("one", "10", "100.25")
    account = await broker.verify()
    assert (account.cash, account.number, account.may_trade) == (
        Decimal("98997.5"),
        "SIM1",
        True,
    )
    [position] = await broker.positions()
    assert (position.symbol, position.qty, position.avg_price) == ("SPY", 10, Decimal("100.25"))


async def test_a_place_without_a_readable_answer_has_an_unknown_outcome(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    for number, outcome in enumerate(("hang", "500", "garbage"), 1):
        simulated.faults.after_accept.append(outcome)
        with pytest.raises(OutcomeUnknownError):
            await broker.place(ticket(outcome))
        taken = await broker.order(outcome)
        assert taken is not None
        assert (await broker.place(ticket(outcome))).broker_order_id == taken.broker_order_id
        assert len(simulated.orders) == number


async def test_what_to_do_next_follows_from_the_status_of_a_place(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    cases: dict[int, type[BrokerError]] = {
        401: BrokerStoppedError,
        403: OrderRefusedError,
        422: OrderRefusedError,
        429: BrokerAwayError,
        500: OutcomeUnknownError,
        503: OutcomeUnknownError,
    }
    for status, error in cases.items():
        simulated.faults.statuses.append(status)
        with pytest.raises(error):
            await broker.place(ticket())
    assert simulated.orders == {}


async def test_what_was_only_asked_may_be_asked_again(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    for ask in (broker.account, broker.positions, broker.open_orders):
        for status in (429, 500, 503):
            simulated.faults.statuses.append(status)
            with pytest.raises(BrokerAwayError):
                await ask()
    simulated.faults.slow_s = 5
    with pytest.raises(BrokerAwayError):
        await broker.order("one")


async def test_a_refusal_carries_the_brokers_words(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    simulated.faults.refusals.append((403, 40310000, "insufficient buying power"))
    with pytest.raises(OrderRefusedError, match="insufficient buying power"):
        await broker.place(ticket())
    placed = await broker.place(ticket())
    await broker.cancel(placed.broker_order_id)
    with pytest.raises(OrderRefusedError, match="already"):
        await broker.cancel(placed.broker_order_id)


async def test_a_broker_that_is_not_there_did_nothing() -> None:
    for make in CONNECTORS.values():
        broker = make("http://127.0.0.1:9", "key", "secret")
        with pytest.raises(BrokerAwayError):
            await broker.place(ticket())
        with pytest.raises(BrokerAwayError):
            async with broker.updates():
                pass
        await broker.close()


async def test_wrong_keys_and_blocked_accounts_need_a_person(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    simulated.status = "ACCOUNT_CLOSED"
    with pytest.raises(BrokerStoppedError):
        await broker.verify()
    simulated.key = "another"
    for act in (broker.verify(), broker.place(ticket())):
        with pytest.raises(BrokerStoppedError) as told:
            await act
        assert "secret" not in str(told.value)
    with pytest.raises(BrokerStoppedError):
        async with broker.updates():
            pass


async def test_updates_tell_what_filled_as_a_whole_and_in_part(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    async with broker.updates() as updates:
        await broker.place(ticket())
        await simulated.fill("one", "4", "100")
        await simulated.fill("one", "6", "101")
        told = [await anext(updates) for _ in range(3)]
    assert [update.order.status for update in told] == ["working", "partially_filled", "filled"]
    assert [update.order.filled_qty for update in told] == [0, 4, 10]
    assert told[2].order.filled_avg_price == Decimal("100.6")
    assert (told[2].qty, told[2].price) == (6, 101)
    assert told[1].execution_id != told[2].execution_id


async def test_a_lost_stream_and_an_unreadable_update_end_the_updates(
    broker: Broker, simulated: SimulatedBroker
) -> None:
    async with broker.updates() as updates:
        await simulated.drop_streams()
        with pytest.raises(BrokerAwayError):
            await anext(updates)
    for nonsense in (
        "{",
        '{"stream":"trade_updates","data":{}}',
        '{"stream":"trade_updates","data":{"event":"fill","timestamp":"2026-01-02T03:04:05Z",'
        '"order":{"id":"1","client_order_id":"x","symbol":"SPY","side":"buy","status":"filled",'
        '"updated_at":"2026-01-02T03:04:05Z","qty":"1","filled_qty":"NaN"}}}',
    ):
        async with broker.updates() as updates:
            await simulated.say(nonsense)
            async with asyncio.timeout(5):
                with pytest.raises(BrokerAwayError):
                    await anext(updates)


def test_an_order_that_the_broker_has_no_words_for_is_refused_before_it_is_sent() -> None:
    can = AlpacaBroker("http://127.0.0.1:9", "k", "s", 1).capabilities
    cases: dict[str | None, dict[str, Any]] = {
        None: {},
        "broker_time_in_force": {"time_in_force": "gtd"},
        "broker_whole_qty": {"qty": Decimal("0.5")},
        "broker_extended_hours": {"order_type": "stop", "extended_hours": True},
    }
    for code, changes in cases.items():
        fault = capability_fault(can, ticket(**changes))
        assert (fault and fault.code) == code, changes
    part = ticket(qty=Decimal("0.5"), order_type="market", time_in_force="day")
    assert capability_fault(can, part) is None
