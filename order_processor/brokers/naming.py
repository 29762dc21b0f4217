"""A broker whose own names for symbols are put in place of ours on the way there, and back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from order_processor.brokers.broker import Broker, Capabilities, OrderTicket, Revision
from order_processor.brokers.errors import BrokerAwayError, OrderRefusedError
from shared.mappings import NoNameError
from shared.models.brokers import BrokerAccount, BrokerOrder, BrokerPosition, BrokerUpdate
from shared.models.identifiers import Symbol


class NamedBroker:
    """`name_of` gives what was mapped, None for our own name, or raises NoNameError; `symbols_of`
    all that is mapped, by their names. Both block."""

    def __init__(
        self,
        broker: Broker,
        name_of: Callable[[str], str | None],
        symbols_of: Callable[[], Mapping[str, str]],
    ) -> None:
        self._broker = broker
        self._name_of = name_of
        self._symbols_of = symbols_of
        #: As they were last read; their updates may not wait for Postgres.
        self._symbols: Mapping[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        return self._broker.capabilities

    async def verify(self) -> BrokerAccount:
        return await self._broker.verify()

    async def account(self) -> BrokerAccount:
        return await self._broker.account()

    async def positions(self) -> list[BrokerPosition]:
        await self._read_names()
        return [
            msgspec.structs.replace(one, symbol=self._ours(one.symbol))
            for one in await self._broker.positions()
        ]

    async def open_orders(self) -> list[BrokerOrder]:
        await self._read_names()
        return [self._order(one) for one in await self._broker.open_orders()]

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        found = await self._broker.order(client_order_id)
        return None if found is None else self._order(found)

    async def place(self, ticket: OrderTicket) -> BrokerOrder:
        try:
            name = await asyncio.to_thread(self._name_of, ticket.symbol)
        except NoNameError as error:
            raise OrderRefusedError("no_symbol_mapping", str(error)) from error
        except SQLAlchemyError as error:
            raise BrokerAwayError(
                "broker_away", "The broker's names for symbols can't be read now."
            ) from error
        if name is None or name == ticket.symbol:
            return await self._broker.place(ticket)
        self._symbols = {**self._symbols, name: ticket.symbol}
        placed = await self._broker.place(msgspec.structs.replace(ticket, symbol=Symbol(name)))
        return self._order(placed)

    async def replace(self, broker_order_id: str, revision: Revision) -> BrokerOrder:
        return self._order(await self._broker.replace(broker_order_id, revision))

    async def cancel(self, broker_order_id: str) -> None:
        await self._broker.cancel(broker_order_id)

    @asynccontextmanager
    async def updates(self) -> AsyncIterator[AsyncIterator[BrokerUpdate]]:
        await self._read_names()
        async with self._broker.updates() as told:
            yield self._named(told)

    async def _named(self, told: AsyncIterator[BrokerUpdate]) -> AsyncIterator[BrokerUpdate]:
        async for update in told:
            yield msgspec.structs.replace(update, order=self._order(update.order))

    async def close(self) -> None:
        await self._broker.close()

    async def _read_names(self) -> None:
        try:
            self._symbols = await asyncio.to_thread(self._symbols_of)
        except SQLAlchemyError as error:
            raise BrokerAwayError(
                "broker_away", "The broker's names for symbols can't be read now."
            ) from error

    def _order(self, order: BrokerOrder) -> BrokerOrder:
        return msgspec.structs.replace(order, symbol=self._ours(order.symbol))

    def _ours(self, name: str) -> Symbol:
        return Symbol(self._symbols.get(name, name))
