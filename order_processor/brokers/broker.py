"""What the platform asks of a broker, whichever it is.

A connector translates, and decides nothing: it keeps no orders, retries nothing that could do
something twice, and raises the errors of `errors.py` alone. `tests/brokers/test_contract.py` holds
every connector to it.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Protocol

import msgspec

from shared.models.brokers import BrokerAccount, BrokerOrder, BrokerPosition, BrokerUpdate
from shared.models.identifiers import Symbol
from shared.models.orders import OrderClass, OrderType, Side, TimeInForce
from shared.trading.amounts import shown
from shared.trading.terms import Refused


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    order_classes: frozenset[OrderClass]
    #: Of these, parts of one share or coin, and with which times in force.
    fractional_types: frozenset[OrderType]
    fractional_times_in_force: frozenset[TimeInForce]
    #: Limit orders outside of the regular session.
    extended_hours: bool
    replaces: bool
    #: The broker refuses a client order id that it has seen. Without that an order whose outcome
    #: is unknown is never sent again.
    refuses_repeated_ids: bool


class OrderTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A simple order as it goes to a broker."""

    client_order_id: str
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What is None stays as it is."""

    client_order_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None


class Broker(Protocol):
    """One account at one broker, until it is closed."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def verify(self) -> BrokerAccount:
        """The account, when the credentials open one that may trade; else BrokerStoppedError."""

    async def account(self) -> BrokerAccount: ...

    async def positions(self) -> list[BrokerPosition]: ...

    async def open_orders(self) -> list[BrokerOrder]:
        """All that may still fill, oldest first."""

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        """None when the broker has never taken an order of that id."""

    async def place(self, ticket: OrderTicket) -> BrokerOrder:
        """At most one order for a client order id where `refuses_repeated_ids`: the same id again
        gives the first order as it stands now."""

    async def replace(self, broker_order_id: str, revision: Revision) -> BrokerOrder:
        """The new order. The old one ends `replaced` when its market has agreed."""

    async def cancel(self, broker_order_id: str) -> None:
        """Ask for it: the order has ended only when the broker says so. OrderRefusedError when it
        can't be cancelled (any more)."""

    def updates(self) -> AbstractAsyncContextManager[AsyncIterator[BrokerUpdate]]:
        """Listens from when the block is entered. The iterator ends with BrokerAwayError when the
        connection is lost: what happened then must be asked for."""

    async def close(self) -> None: ...


def capability_fault(can: Capabilities, ticket: OrderTicket) -> Refused | None:
    """Why a broker could not take the order."""
    kind, lasts = ticket.order_type, ticket.time_in_force
    if kind not in can.order_types:
        return Refused("broker_order_type", "The broker has no such orders.", observed=kind)
    if lasts not in can.times_in_force:
        return Refused("broker_time_in_force", "The broker has no such orders.", observed=lasts)
    whole = ticket.qty == ticket.qty.to_integral_value()
    if not whole and not (kind in can.fractional_types and lasts in can.fractional_times_in_force):
        return Refused(
            "broker_whole_qty",
            "The broker takes such orders in whole units alone.",
            limit="1",
            observed=shown(ticket.qty),
        )
    if ticket.extended_hours and not (can.extended_hours and kind == "limit"):
        return Refused("broker_extended_hours", "The broker takes it in regular hours alone.")
    return None
