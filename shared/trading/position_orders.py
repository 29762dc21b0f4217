"""What is done with a position: an order closes it, others protect it; it goes to other owners."""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.conversions import ConvertPosition
from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import ClosePositions, ProtectPosition
from shared.trading.amounts import ZERO, exactly
from shared.trading.changes import OrderChanged, PositionMoved
from shared.trading.checks import fault_of
from shared.trading.classes import exits_fault, of_leg
from shared.trading.drafts import closing
from shared.trading.groups import Groups
from shared.trading.intake import Intake
from shared.trading.position_conversion import convert_position
from shared.trading.protection import exits_of
from shared.trading.settlement import Settlement
from shared.trading.terms import Instrument, Refused
from shared.trading.working import WorkingOrders


class PositionOrders:
    def __init__(
        self, intake: Intake, orders: WorkingOrders, groups: Groups, settlement: Settlement
    ) -> None:
        self._intake = intake
        self._orders = orders
        self._groups = groups
        self._settlement = settlement

    @exactly
    def close(
        self,
        symbol: Symbol,
        command: ClosePositions,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
    ) -> Refused | list[OrderChanged]:
        """The orders that were cancelled for it, then the order that closes the position.

        When that is refused or rejected, nothing is cancelled.
        """
        holding = self._settlement.holdings.get(symbol)
        if holding is None or not holding.qty:
            return Refused("position_not_open", f"There is no position in {symbol}.")
        lot = Decimal(1) if instrument is None else instrument.lot_size
        draft = closing(holding, command, lot)
        if isinstance(draft, Refused):
            return draft
        fault = fault_of(draft, self._intake.account, instrument, self._intake.limits, None, at)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        freed = self._orders.working_in(symbol) if command.cancel_orders else []
        reserve, obstacle = self._intake.weigh(
            draft, instrument, last_price, at, freed, closes=True, must_reduce=True
        )
        ended = [] if obstacle else self._groups.cancel_each(freed, at)
        new = self._intake.number(draft, at, None, last_price, tick)
        new = msgspec.structs.replace(new, closes_position=True)
        return [*ended, self._intake.begin(new, instrument, reserve, obstacle, tape_id, at)]

    def convert(
        self, command: ConvertPosition, lot: Decimal, at: datetime
    ) -> Refused | PositionMoved:
        return convert_position(self._settlement, self._orders, command, lot, at)

    @exactly
    def protect(
        self,
        command: ProtectPosition,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
    ) -> Refused | list[OrderChanged]:
        """The exits that protected the position before, as they ended, then the new ones.

        When it is refused, the old ones work on.
        """
        holding = self._settlement.holdings.get(command.symbol)
        if holding is None or not holding.qty:
            return Refused("position_not_open", f"There is no position in {command.symbol}.")
        if instrument is None:
            return Refused("unknown_symbol", f"There is no instrument {command.symbol!r}.")
        parts = exits_of(holding, command, instrument)
        if isinstance(parts, Refused):
            return parts
        for role, part in parts:
            fault = fault_of(part, self._intake.account, instrument, self._intake.limits, None, at)
            if fault is not None:
                return of_leg(fault, role)
            if part.order_type == "trailing_stop" and last_price is None:
                return Refused("no_market_price", f"{command.symbol} has not traded yet.")
        fault = exits_fault({role: part for role, part in parts if role is not None})
        if fault is not None:
            return fault
        ended = self._groups.unprotect(command.symbol, at)
        group_id: OrderId | None = None
        begun: list[OrderChanged] = []
        for role, part in parts:
            new = self._intake.number(part, at, None, last_price, instrument.tick_size)
            group_id = group_id or new.id
            new = msgspec.structs.replace(
                new,
                order_class="oco" if len(parts) > 1 else "simple",
                group_id=group_id,
                group_role=role,
                protects_position=True,
            )
            change = self._intake.begin(new, instrument, ZERO, None, tape_id, at)
            assert change.opened is not None, "nothing forbids it"
            self._groups.join(change.opened)
            begun.append(change)
        return [*ended, *begun]
