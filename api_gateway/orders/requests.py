"""Asking the order processor, and what its silence means to the caller."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID, uuid4

from redis.exceptions import RedisError

from api_gateway.errors import Refused
from api_gateway.orders.schemas import (
    Closing,
    OrderReplacement,
    OrderTicket,
    PositionClosing,
    ProtectionTicket,
    StopLossTicket,
    TakeProfitTicket,
)
from api_gateway.origin import current_origin
from api_gateway.values import plain
from shared.models.cash import (
    CashKind,
    CashReply,
    ConversionReply,
    ConvertCash,
    LedgerEntry,
    MoveCash,
    arriving_half,
)
from shared.models.conversions import ConvertPosition, PositionConversionReply
from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.orders import (
    BooksReply,
    CancelOrder,
    CancelOrders,
    ClosePositions,
    Command,
    OpenBooks,
    OrderReply,
    OrdersReply,
    ProtectionStop,
    ProtectionTarget,
    ProtectPosition,
    Refusal,
    ReplaceOrder,
    Reply,
    StopLoss,
    SubmitOrder,
    TakeProfit,
)
from shared.models.risk import RiskCommand, RiskReply
from shared.redis.requests import AnswerOverdueError, OrderRequests
from shared.service.request_context import current_request_id

_SAME_ENTRY = "Send it again with the same client_entry_id: it can't be entered twice."
_SAME_CONVERSION = "Send it again with the same client_conversion_id: it can't be made twice."
_SAME_ID = "Send it again with the same client_order_id: it can't be placed twice."


class OrderProcessor:
    """Commands go onto the account's shard; the answer comes after the commit.

    Each method raises Refused: with the processor's own code, or `outcome_unknown` when no
    answer came in time or Redis is away. All commands may be sent again.
    """

    def __init__(self, requests: OrderRequests, timeout_s: float) -> None:
        self._requests = requests
        self._timeout_s = timeout_s

    async def open_books(self, account_id: UUID, mode: Mode) -> Decimal:
        """The cash in the books."""
        command = OpenBooks(
            **self._to(account_id, mode),
        )
        reply = await self._ask(command, "It is safe to send this request again.", {})
        assert isinstance(reply, BooksReply), "the processor answers OpenBooks with BooksReply"
        return reply.cash

    async def submit(
        self,
        account_id: UUID,
        user_id: UUID,
        ticket: OrderTicket,
        client_order_id: str,
    ) -> OrderReply:
        command = SubmitOrder(
            **self._to(account_id, ticket.mode),
            **_from(user_id),
            client_order_id=client_order_id,
            symbol=Symbol(ticket.symbol),
            side=ticket.side,
            order_type=ticket.type,
            time_in_force=ticket.time_in_force,
            qty=_exact(ticket.qty) or Decimal(0),
            notional=_exact(ticket.notional),
            limit_price=_exact(ticket.limit_price),
            stop_price=_exact(ticket.stop_price),
            trail_price=_exact(ticket.trail_price),
            trail_percent=_exact(ticket.trail_percent),
            expires_at=ticket.expires_at,
            extended_hours=ticket.extended_hours,
            order_class=ticket.order_class,
            take_profit=_take_profit(ticket.take_profit),
            stop_loss=_stop_loss(ticket.stop_loss),
        )
        return _order(
            await self._ask(
                command,
                _SAME_ID,
                {"client_order_id": client_order_id},
            )
        )

    async def cancel(
        self, account_id: UUID, user_id: UUID, *, mode: Mode, order_id: UUID
    ) -> OrderReply:
        command = CancelOrder(
            **self._to(account_id, mode),
            **_from(user_id),
            order_id=OrderId(order_id),
        )
        return _order(await self._ask(command, "It is safe to send this request again.", {}))

    async def cancel_all(
        self, account_id: UUID, user_id: UUID, *, mode: Mode, symbol: str | None
    ) -> OrdersReply:
        command = CancelOrders(
            **self._to(account_id, mode),
            **_from(user_id),
            symbol=None if symbol is None else Symbol(symbol),
        )
        return _many(await self._ask(command, "It is safe to send this request again.", {}))

    async def replace(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        mode: Mode,
        order_id: UUID,
        replacement: OrderReplacement,
        client_order_id: str,
    ) -> OrderReply:
        command = ReplaceOrder(
            **self._to(account_id, mode),
            **_from(user_id),
            order_id=OrderId(order_id),
            client_order_id=client_order_id,
            qty=_exact(replacement.qty),
            limit_price=_exact(replacement.limit_price),
            stop_price=_exact(replacement.stop_price),
            trail_price=_exact(replacement.trail_price),
            trail_percent=_exact(replacement.trail_percent),
        )
        members = {"client_order_id": client_order_id}
        return _order(await self._ask(command, _SAME_ID, members))

    async def close(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        symbol: str | None,
        closing: Closing,
        client_order_id: str,
    ) -> OrdersReply:
        """Of one symbol, or of all."""
        command = ClosePositions(
            **self._to(account_id, closing.mode),
            **_from(user_id),
            client_order_id=client_order_id,
            symbol=None if symbol is None else Symbol(symbol),
            cancel_orders=closing.cancel_orders,
            qty=_exact(closing.qty) if isinstance(closing, PositionClosing) else None,
            percent=_exact(closing.percent) if isinstance(closing, PositionClosing) else None,
        )
        members = {"client_order_id": client_order_id}
        return _many(await self._ask(command, _SAME_ID, members))

    async def risk(
        self, command: type[RiskCommand], account_id: UUID, mode: Mode, **more: Any
    ) -> RiskReply:
        """`more` are further fields of the command."""
        asked = command(
            **self._to(account_id, mode),
            **more,
        )
        reply = await self._ask(asked, "It is safe to send this request again.", {})
        assert isinstance(reply, RiskReply), "the processor answers risk commands with RiskReply"
        return reply

    async def move_cash(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        mode: Mode,
        kind: CashKind,
        amount: Decimal,
        currency: str,
        client_entry_id: str,
        reason: str | None,
        transfer_id: UUID | None = None,
        counterpart_id: UUID | None = None,
    ) -> CashReply:
        command = MoveCash(
            **self._to(account_id, mode),
            client_entry_id=client_entry_id,
            submitted_by=f"user:{user_id}",
            kind=kind,
            amount=Decimal(plain(amount)),
            currency=currency,
            reason=reason,
            transfer_id=transfer_id,
            counterpart_id=None if counterpart_id is None else AccountId(counterpart_id),
        )
        members = {"client_entry_id": client_entry_id}
        return _cash(await self._ask(command, _SAME_ENTRY, members))

    async def convert_cash(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        mode: Mode,
        from_currency: str,
        to_currency: str,
        amount: Decimal,
        client_entry_id: str,
        reason: str | None,
    ) -> ConversionReply:
        command = ConvertCash(
            request_id=_request_id(),
            reply_to=self._requests.reply_to,
            account_id=AccountId(account_id),
            mode=mode,
            client_entry_id=client_entry_id,
            submitted_by=f"user:{user_id}",
            from_currency=from_currency,
            to_currency=to_currency,
            amount=Decimal(plain(amount)),
            reason=reason,
        )
        reply = await self._ask(command, _SAME_ENTRY, {"client_entry_id": client_entry_id})
        assert isinstance(reply, ConversionReply), "the processor answers ConvertCash with it"
        return reply

    async def complete_transfer(self, account_id: UUID, mode: Mode, left: LedgerEntry) -> CashReply:
        """Bring to the other account what has left this one."""
        command = arriving_half(
            AccountId(account_id), mode, left, _request_id(), self._requests.reply_to
        )
        return _cash(await self._ask(command, "It will be carried out.", {}))

    async def protect(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        symbol: str,
        ticket: ProtectionTicket,
        client_order_id: str,
    ) -> OrderReply:
        target, stop = ticket.take_profit, ticket.stop_loss
        command = ProtectPosition(
            **self._to(account_id, ticket.mode),
            **_from(user_id),
            client_order_id=client_order_id,
            symbol=Symbol(symbol),
            take_profit=None
            if target is None
            else ProtectionTarget(
                limit_price=_exact(target.limit_price), percent=_exact(target.percent)
            ),
            stop_loss=None
            if stop is None
            else ProtectionStop(
                stop_price=_exact(stop.stop_price),
                percent=_exact(stop.percent),
                trail_percent=_exact(stop.trail_percent),
            ),
        )
        return _order(await self._ask(command, _SAME_ID, {"client_order_id": client_order_id}))

    async def convert_position(
        self,
        account_id: UUID,
        user_id: UUID,
        *,
        mode: Mode,
        symbol: str,
        owners: tuple[UUID | None, UUID | None],
        qty: Decimal,
        client_conversion_id: str,
        reason: str | None,
    ) -> PositionConversionReply:
        """`owners`: from whom, and to whom."""
        command = ConvertPosition(
            **self._to(account_id, mode),
            **_from(user_id),
            client_conversion_id=client_conversion_id,
            symbol=Symbol(symbol),
            from_deployment_id=owners[0],
            to_deployment_id=owners[1],
            qty=Decimal(plain(qty)),
            reason=reason,
        )
        members = {"client_conversion_id": client_conversion_id}
        reply = await self._ask(command, _SAME_CONVERSION, members)
        assert isinstance(reply, PositionConversionReply), "the processor answers it so"
        return reply

    def _to(self, account_id: UUID, mode: Mode) -> dict[str, Any]:
        """What every command begins with."""
        return {
            "request_id": _request_id(),
            "reply_to": self._requests.reply_to,
            "account_id": AccountId(account_id),
            "mode": mode,
        }

    async def _ask(self, command: Command, advice: str, members: Mapping[str, object]) -> Reply:
        try:
            reply = await self._requests.ask(command, self._timeout_s)
        except (AnswerOverdueError, RedisError) as error:
            # A broken connection too leaves open whether the command reached the stream.
            raise Refused(
                "outcome_unknown",
                f"No answer came in time; it may still be carried out. {advice}",
                members,
            ) from error
        if isinstance(reply, Refusal):
            _refuse(reply, members)
        return reply


def _from(user_id: UUID) -> dict[str, Any]:
    """Who wants it, and from where."""
    return {"submitted_by": f"user:{user_id}", "origin": current_origin()}


def _request_id() -> str:
    """Starts with the id of the HTTP request, so that logs join up; one of its own a command."""
    return f"{current_request_id() or 'gateway'}:{uuid4().hex[:16]}"


def _exact(amount: Decimal | None) -> Decimal | None:
    """One text for equal numbers."""
    return None if amount is None else Decimal(plain(amount))


def _take_profit(ticket: TakeProfitTicket | None) -> TakeProfit | None:
    if ticket is None:
        return None
    return TakeProfit(limit_price=Decimal(plain(ticket.limit_price)))


def _stop_loss(ticket: StopLossTicket | None) -> StopLoss | None:
    if ticket is None:
        return None
    return StopLoss(
        stop_price=_exact(ticket.stop_price),
        limit_price=_exact(ticket.limit_price),
        trail_price=_exact(ticket.trail_price),
        trail_percent=_exact(ticket.trail_percent),
    )


def _order(reply: Reply) -> OrderReply:
    assert isinstance(reply, OrderReply), "the processor answers order commands with OrderReply"
    return reply


def _cash(reply: Reply) -> CashReply:
    assert isinstance(reply, CashReply), "the processor answers MoveCash with CashReply"
    return reply


def _many(reply: Reply) -> OrdersReply:
    assert isinstance(reply, OrdersReply), "the processor answers commands for many with this"
    return reply


def _refuse(refusal: Refusal, members: Mapping[str, object]) -> NoReturn:
    given = {"limit": refusal.limit, "observed": refusal.observed, "level": refusal.level}
    told = {name: value for name, value in given.items() if value is not None}
    raise Refused(refusal.code, refusal.message, {**members, **told})
