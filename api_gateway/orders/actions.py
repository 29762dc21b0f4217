"""The verbs on orders, and the books to look at."""

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast
from uuid import UUID, uuid4

from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.cash.schemas import LedgerEntryView
from api_gateway.errors import Refused
from api_gateway.orders import repository
from api_gateway.orders.filters import ExecutionFilters, LedgerFilters, OrderFilters
from api_gateway.orders.requests import OrderProcessor
from api_gateway.orders.schemas import (
    CancelledOrders,
    ClosedPositions,
    Closing,
    ExecutionView,
    LotClosingView,
    LotView,
    NotClosedView,
    OrderReplacement,
    OrderTicket,
    OrderView,
    PositionView,
    ProtectionTicket,
    ProtectionView,
    StrategyPositionView,
)
from api_gateway.paging import (
    OrderedPlace,
    Page,
    Place,
    page_of,
    parse_seq_cursor,
    parse_text_cursor,
    seq_cursor,
    text_cursor,
)
from api_gateway.values import View, view
from shared.database.tables import OrderRow
from shared.models.identifiers import Mode
from shared.models.orders import Order, OrderReply

R = TypeVar("R")
V = TypeVar("V", bound=View)


class Orders:
    def __init__(self, sessions: sessionmaker[Session], processor: OrderProcessor) -> None:
        self._sessions = sessions
        self._processor = processor

    async def submit(self, account_id: UUID, user_id: UUID, ticket: OrderTicket) -> OrderReply:
        """At most one order for the ticket's client order id, however often it is sent."""
        return await self._processor.submit(
            account_id, user_id, ticket, ticket.client_order_id or uuid4().hex
        )

    async def cancel(self, account_id: UUID, user_id: UUID, order_id: UUID) -> OrderReply:
        # An order is told to nobody before it is committed: what isn't stored doesn't exist.
        order = await run_in_threadpool(self.order, account_id, order_id)
        return await self._processor.cancel(
            account_id, user_id, mode=cast("Mode", order.mode), order_id=order_id
        )

    async def replace(
        self, account_id: UUID, user_id: UUID, order_id: UUID, replacement: OrderReplacement
    ) -> OrderReply:
        """At most one replacement for its client order id, however often it is sent."""
        order = await run_in_threadpool(self.order, account_id, order_id)
        return await self._processor.replace(
            account_id,
            user_id,
            mode=cast("Mode", order.mode),
            order_id=order_id,
            replacement=replacement,
            client_order_id=replacement.client_order_id or uuid4().hex,
        )

    async def cancel_all(
        self, account_id: UUID, user_id: UUID, mode: Mode, symbol: str | None
    ) -> CancelledOrders:
        reply = await self._processor.cancel_all(account_id, user_id, mode=mode, symbol=symbol)
        return CancelledOrders(items=[view(OrderView, order) for order in reply.orders])

    async def close(
        self, account_id: UUID, user_id: UUID, symbol: str, closing: Closing
    ) -> OrderReply:
        reply = await self._processor.close(
            account_id,
            user_id,
            symbol=symbol,
            closing=closing,
            client_order_id=closing.client_order_id or uuid4().hex,
        )
        [order] = reply.orders
        return OrderReply(request_id=reply.request_id, order=order, repeated=reply.repeated)

    async def close_all(self, account_id: UUID, user_id: UUID, closing: Closing) -> ClosedPositions:
        client_order_id = closing.client_order_id or uuid4().hex
        reply = await self._processor.close(
            account_id, user_id, symbol=None, closing=closing, client_order_id=client_order_id
        )
        return ClosedPositions(
            items=[view(OrderView, order) for order in reply.orders],
            not_closed=[view(NotClosedView, each) for each in reply.not_closed],
            client_order_id=client_order_id,
        )

    async def protect(
        self, account_id: UUID, user_id: UUID, symbol: str, ticket: ProtectionTicket
    ) -> OrderReply:
        """In the place of what protects the position already."""
        return await self._processor.protect(
            account_id,
            user_id,
            symbol=symbol,
            ticket=ticket,
            client_order_id=ticket.client_order_id or uuid4().hex,
        )

    def protection(self, account_id: UUID, mode: Mode, symbol: str) -> ProtectionView:
        with self._sessions() as db:
            rows = repository.protection(db, account_id, mode, symbol)
        if not rows:
            raise Refused("not_found", "The position is not protected.")
        return protection_view(symbol, rows)

    async def unprotect(self, account_id: UUID, user_id: UUID, mode: Mode, symbol: str) -> None:
        protection = await run_in_threadpool(self.protection, account_id, mode, symbol)
        order = protection.take_profit or protection.stop_loss
        assert order is not None, "there is one"
        # One exit takes the other along.
        await self._processor.cancel(account_id, user_id, mode=mode, order_id=order.id)

    def order(self, account_id: UUID, order_id: UUID) -> OrderRow:
        with self._sessions() as db:
            order = repository.order(db, account_id, order_id)
        if order is None:
            raise Refused("not_found", "There is no such order.")
        return order

    def order_with_legs(self, account_id: UUID, order_id: UUID) -> OrderView:
        with self._sessions() as db:
            order = repository.order(db, account_id, order_id)
            legs = [] if order is None else repository.legs_of(db, order)
        if order is None:
            raise Refused("not_found", "There is no such order.")
        return with_legs(order, legs)

    def orders(
        self, account_id: UUID, mode: Mode, only: OrderFilters, place: OrderedPlace
    ) -> Page[OrderView]:
        after = parse_seq_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.orders(
                db, account_id, mode, only, after, place.newest_first, place.limit + 1
            )
        return page_of(OrderView, rows, place, lambda row: seq_cursor(row.seq))

    def executions(
        self, account_id: UUID, mode: Mode, only: ExecutionFilters, place: OrderedPlace
    ) -> Page[ExecutionView]:
        after = parse_seq_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.executions(
                db, account_id, mode, only, after, place.newest_first, place.limit + 1
            )
        return page_of(ExecutionView, rows, place, lambda row: seq_cursor(row.seq))

    def ledger(
        self, account_id: UUID, mode: Mode, only: LedgerFilters, place: OrderedPlace
    ) -> Page[LedgerEntryView]:
        after = parse_seq_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.ledger(
                db, account_id, mode, only, after, place.newest_first, place.limit + 1
            )
        return page_of(LedgerEntryView, rows, place, lambda row: seq_cursor(row.seq))

    def positions(self, account_id: UUID, mode: Mode, place: Place) -> Page[PositionView]:
        after = parse_text_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.positions(db, account_id, mode, after, place.limit + 1)
        return page_of(PositionView, rows, place, lambda row: text_cursor(row.symbol))

    def strategy_positions(
        self, account_id: UUID, mode: Mode, place: Place
    ) -> Page[StrategyPositionView]:
        after = parse_text_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.strategy_positions(db, account_id, mode, after, place.limit + 1)
        return page_of(
            StrategyPositionView, rows, place, lambda row: text_cursor(f"{row.symbol} {row.owner}")
        )

    def open_lots(
        self, account_id: UUID, mode: Mode, symbol: str | None, place: Place
    ) -> Page[LotView]:
        after = parse_seq_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.open_lots(db, account_id, mode, symbol, after, place.limit + 1)
        return page_of(LotView, rows, place, lambda row: seq_cursor(row.seq))

    def lot_closings(
        self, account_id: UUID, mode: Mode, symbol: str | None, place: Place
    ) -> Page[LotClosingView]:
        after = parse_text_cursor(place.cursor)
        with self._sessions() as db:
            rows = repository.lot_closings(db, account_id, mode, symbol, after, place.limit + 1)
        return page_of(
            LotClosingView, rows, place, lambda row: text_cursor(f"{row.lot_seq} {row.closed_by}")
        )


def protection_view(symbol: str, orders: Iterable[OrderRow | Order]) -> ProtectionView:
    exits = {order.group_role: view(OrderView, order) for order in orders}
    return ProtectionView(
        symbol=symbol, take_profit=exits.get("take_profit"), stop_loss=exits.get("stop_loss")
    )


def with_legs(order: OrderRow | Order, legs: Sequence[OrderRow | Order]) -> OrderView:
    told = view(OrderView, order)
    if not legs:
        return told
    return told.model_copy(update={"legs": tuple(view(OrderView, each) for each in legs)})
