"""Which commands a live account takes, and when."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from order_processor.brokers.broker import Capabilities, OrderTicket, capability_fault
from shared.models.cash import ConvertCash, MoveCash
from shared.models.orders import (
    ClosePositions,
    Command,
    CompareBroker,
    HearBroker,
    ProtectPosition,
    ReplaceOrder,
    SubmitOrder,
)
from shared.models.risk import ChangeMargin
from shared.trading.terms import Refused


class Link(Protocol):
    """An account's session with its broker."""

    @property
    def ready(self) -> bool: ...
    @property
    def capabilities(self) -> Capabilities: ...


LinkOf = Callable[[UUID], Link | None]

_NOT_LIVE = Refused("not_available_live", "That is available in paper trading alone.")


def nobody(_: UUID) -> Link | None:
    """Live trading is off."""
    return None


def live_fault(
    command: Command, link: Link | None, *, books_open: bool, market_live: bool
) -> Refused | None:
    """Why a live account can't take the command (now). Cancels, kill switches and the broker's own
    words are always taken: they are stored, and sent when the broker is there."""
    if isinstance(command, HearBroker | CompareBroker):
        return None
    if not books_open and link is None:
        return Refused(
            "mode_not_available", "The account has no broker connection.", "paper", command.mode
        )
    if isinstance(command, ReplaceOrder | ProtectPosition | ChangeMargin | ConvertCash):
        return _NOT_LIVE
    if isinstance(command, MoveCash) and command.kind != "adjustment":
        return _NOT_LIVE
    if not isinstance(command, SubmitOrder | ClosePositions):
        return None
    if not market_live:
        return Refused("market_not_live", "Prices are those of a replay: no order leaves now.")
    if link is None or not link.ready or not books_open:
        return Refused("broker_not_ready", "The broker is not connected now. Try again shortly.")
    if isinstance(command, ClosePositions):
        return _NOT_LIVE if command.cancel_orders else None
    # Live orders leave for the regular session.
    if command.order_class != "simple" or command.notional is not None or command.extended_hours:
        return _NOT_LIVE
    if not command.qty.is_finite():
        return None  # the checks of the books say it
    return capability_fault(
        link.capabilities,
        OrderTicket(
            client_order_id=command.client_order_id,
            symbol=command.symbol,
            side=command.side,
            order_type=command.order_type,
            time_in_force=command.time_in_force,
            qty=command.qty,
        ),
    )
