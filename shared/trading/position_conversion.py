"""Moves a part of a position from one owner to another: with its average price, without cash.

The account's position and its lots stay as they are, because they are nobody's in particular. The
receiver takes the quantity at what it had cost; against a position on the other side that is a
closing, whose profit is its own. So what all have made, realised and not, stays the same.

Refused, in this order: `same_owner`, `invalid_qty`, `position_not_open`, `qty_exceeds_position`,
`qty_not_in_lots`, `exits_working`: what the giver's own working orders are to close stays its own,
and so does what the receiver's would close of a position on the other side. Filled later, they
would open one.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.conversions import ConvertPosition, PositionConversion
from shared.trading.amounts import ZERO, exactly, rounded, shown
from shared.trading.changes import PositionMoved
from shared.trading.positions import Holding, after_fill
from shared.trading.settlement import Settlement
from shared.trading.strategy_positions import Owner
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders


@exactly
def convert_position(
    settlement: Settlement,
    orders: WorkingOrders,
    command: ConvertPosition,
    lot: Decimal,
    at: datetime,
) -> Refused | PositionMoved:
    """The caller has made sure that its name is new. Less than a lot is moved with all else."""
    symbol = command.symbol
    giver, taker = command.from_deployment_id, command.to_deployment_id
    net, owners = settlement.holdings.get(symbol), dict(settlement.strategies.owners(symbol))
    own = owners.get(giver) or Holding(symbol)
    fault = _fault_of(command, own, lot) or _exits_of(giver, own, command, orders)
    taken = owners.get(taker) or Holding(symbol)
    if fault is None and taken.qty and (taken.qty > 0) != (own.qty > 0):
        fault = _exits_of(taker, taken, command, orders)
    if fault is not None:
        return fault
    assert net is not None, "who owns a part of it has a position"
    qty = command.qty if own.qty > 0 else -command.qty
    cost = own.cost if qty == own.qty else rounded(own.cost * qty / own.qty)
    owners[giver] = msgspec.structs.replace(
        own, qty=own.qty - qty, cost=own.cost - cost, updated_at=at
    )
    owners[taker], _ = after_fill(taken, qty, -cost, ZERO, at)
    settlement.strategies.set(symbol, owners)
    # What belongs to whom was changed: a split that should have come before can't any more.
    settlement.holdings[symbol] = msgspec.structs.replace(net, updated_at=at)
    return PositionMoved(
        PositionConversion(
            client_conversion_id=command.client_conversion_id,
            symbol=symbol,
            from_deployment_id=giver,
            to_deployment_id=taker,
            qty=qty,
            cost=cost,
            execution_seq=settlement.execution_seq,
            at=at,
            submitted_by=command.submitted_by,
            reason=command.reason,
        ),
        settlement.holdings[symbol],
        ((giver, owners[giver]), (taker, owners[taker])),
        settlement.cash,
    )


def _fault_of(command: ConvertPosition, own: Holding, lot: Decimal) -> Refused | None:
    if command.from_deployment_id == command.to_deployment_id:
        return Refused("same_owner", "It belongs to them already.")
    qty, held = command.qty, abs(own.qty)
    if not qty.is_finite() or qty <= 0:
        return Refused("invalid_qty", "The quantity must be above zero.", observed=shown(qty))
    if not held:
        return Refused("position_not_open", f"They have no position in {command.symbol}.")
    if qty > held:
        return Refused(
            "qty_exceeds_position",
            "There is less in the position than that.",
            limit=shown(held),
            observed=shown(qty),
        )
    if qty % lot and qty != held:
        return Refused(
            "qty_not_in_lots",
            f"The quantity must be a multiple of the lot size {shown(lot)}, or all.",
            limit=shown(lot),
            observed=shown(qty),
        )
    return None


def _exits_of(
    owner: Owner, held: Holding, command: ConvertPosition, orders: WorkingOrders
) -> Refused | None:
    """Whether the owner's working orders are to close some of what it would lose."""
    exits = orders.committed_by(owner, command.symbol, "sell" if held.qty > 0 else "buy")
    left = abs(held.qty) - exits
    if not exits or command.qty <= left:
        return None
    return Refused(
        "exits_working",
        "Working orders of theirs are to close that position: cancel them first.",
        limit=shown(max(left, ZERO)),
        observed=shown(command.qty),
    )
