"""Protecting a position: the exits that a command asks for, at prices or at percents of its cost.

They are the exits of a group without an entry, good till cancelled, whose quantity is the
position's at all times. So they keep nothing from other orders: what another order sells, they
no longer have to.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from shared.models.orders import ProtectPosition, Side, StopLoss, SubmitOrder, TakeProfit
from shared.trading.amounts import shown
from shared.trading.classes import Part, parts_of
from shared.trading.costs import to_tick
from shared.trading.positions import Holding
from shared.trading.terms import Instrument, Refused

_STEP = Decimal("0.1")
_LEAST, _MOST = Decimal("0.1"), Decimal(10)


def exits_of(
    holding: Holding, command: ProtectPosition, instrument: Instrument
) -> list[Part] | Refused:
    """Percents are of the average price now; a price is on the tick grid and not nearer."""
    target, stop = command.take_profit, command.stop_loss
    if target is None and stop is None:
        return Refused("protection_empty", "Say a take profit, a stop loss, or both.")
    given: list[tuple[Decimal | None, ...]] = []
    if target is not None:
        given.append((target.limit_price, target.percent))
    if stop is not None:
        given.append((stop.stop_price, stop.percent, stop.trail_percent))
    for ways in given:
        if len([each for each in ways if each is not None]) != 1:
            return Refused("protection_ambiguous", "An exit has a price or a percent, one of them.")
    percents = [target.percent] if target is not None else []
    percents += [stop.percent, stop.trail_percent] if stop is not None else []
    for percent in percents:
        fault = None if percent is None else _percent_fault(percent)
        if fault is not None:
            return fault
    side: Side = "sell" if holding.qty > 0 else "buy"
    return _parts(holding, command, side, instrument.tick_size)


def _percent_fault(percent: Decimal) -> Refused | None:
    if not percent.is_finite() or not _LEAST <= percent <= _MOST:
        return Refused(
            "protection_percent_out_of_range",
            f"A percent is at least {_LEAST} and at most {_MOST}.",
            limit=f"{_LEAST} to {_MOST}",
            observed=shown(percent),
        )
    if percent % _STEP != 0:
        return Refused(
            "protection_percent_not_in_steps",
            f"A percent must be a multiple of {_STEP}.",
            limit=str(_STEP),
            observed=shown(percent),
        )
    return None


def _parts(holding: Holding, command: ProtectPosition, side: Side, tick: Decimal) -> list[Part]:
    target, stop = command.take_profit, command.stop_loss
    take_profit = stop_loss = None
    if target is not None:
        price = target.limit_price
        if price is None:
            assert target.percent is not None, "one of them is given"
            price = _at_percent(holding, target.percent, tick, up=side == "sell")
        take_profit = TakeProfit(limit_price=price)
    if stop is not None:
        price = stop.stop_price
        if price is None and stop.percent is not None:
            price = _at_percent(holding, stop.percent, tick, up=side == "buy")
        stop_loss = StopLoss(stop_price=price, trail_percent=stop.trail_percent)
    order = SubmitOrder(
        request_id=command.request_id,
        reply_to=command.reply_to,
        account_id=command.account_id,
        mode=command.mode,
        client_order_id=command.client_order_id,
        submitted_by=command.submitted_by,
        symbol=command.symbol,
        side=side,
        order_type="limit",
        time_in_force="gtc",
        qty=abs(holding.qty),
        order_class="oco",
        take_profit=take_profit,
        stop_loss=stop_loss,
    )
    return parts_of(order)


def _at_percent(holding: Holding, percent: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    away = percent if up else -percent
    price = holding.avg_price * (100 + away) / 100
    return max(to_tick(price, tick, ROUND_CEILING if up else ROUND_FLOOR), tick)
