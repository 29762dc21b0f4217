"""FIFO lots: what is held, by when it was bought; what was sold, by which of it.

For tax and analysis, beside the average price that positions go by. A lot is what one execution
opened, long or short; the oldest is closed first. Quantity and cost are signed as in positions, and
cash flows are shared out whole, so that

    flows of all executions = profit of all closings − cost of all open lots

holds to the last digit.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.identifiers import Symbol
from shared.trading.amounts import rounded


class Lot(msgspec.Struct, frozen=True):
    #: From 1 within the account and mode.
    seq: int
    symbol: Symbol
    #: What is open of it; below zero when it is short, zero when it was closed.
    qty: Decimal
    #: What that cost; below zero when it brought cash.
    cost: Decimal
    #: As it was opened.
    opened_qty: Decimal
    price: Decimal
    opened_by: UUID
    opened_at: datetime


class LotClosing(msgspec.Struct, frozen=True):
    """What one execution closed of one lot."""

    lot_seq: int
    closed_by: UUID
    symbol: Symbol
    #: Signed like the lot's.
    qty: Decimal
    cost: Decimal
    #: What closing it brought; below zero when it was paid for.
    proceeds: Decimal
    #: `proceeds` less `cost`, fees not included.
    realized_pnl: Decimal
    opened_at: datetime
    closed_at: datetime


class LotChanges(msgspec.Struct, frozen=True):
    """Of one execution: lots as they stand after it, and what it closed."""

    lots: tuple[Lot, ...]
    closings: tuple[LotClosing, ...]


class Lots:
    def __init__(self, stored: Iterable[Lot], seq: int) -> None:
        #: Open ones by symbol, oldest first.
        self._open: dict[Symbol, deque[Lot]] = {}
        #: Last number handed out.
        self._seq = seq
        for lot in stored:
            self._open.setdefault(lot.symbol, deque()).append(lot)

    def open(self, symbol: Symbol) -> Iterable[Lot]:
        return self._open.get(symbol, ())

    def replace(self, symbol: Symbol, lots: Iterable[Lot]) -> None:
        """With those of them that are open."""
        self._open[symbol] = deque(lot for lot in lots if lot.qty)

    def fill(
        self,
        symbol: Symbol,
        traded: Decimal,
        flow: Decimal,
        price: Decimal,
        execution_id: UUID,
        at: datetime,
    ) -> LotChanges:
        """`traded` is signed (a sell is negative), and so is `flow` (a buy pays: negative)."""
        lots = self._open.setdefault(symbol, deque())
        changed: list[Lot] = []
        closings: list[LotClosing] = []
        while traded and lots and (lots[0].qty > 0) != (traded > 0):
            lot = lots.popleft()
            closed = max(lot.qty, -traded) if traded > 0 else min(lot.qty, -traded)
            proceeds = flow if closed == -traded else rounded(flow * closed / -traded)
            cost = lot.cost if closed == lot.qty else rounded(lot.cost * closed / lot.qty)
            rest = msgspec.structs.replace(lot, qty=lot.qty - closed, cost=lot.cost - cost)
            changed.append(rest)
            if rest.qty:
                lots.appendleft(rest)
            closings.append(
                LotClosing(
                    lot_seq=lot.seq,
                    closed_by=execution_id,
                    symbol=symbol,
                    qty=closed,
                    cost=cost,
                    proceeds=proceeds,
                    realized_pnl=proceeds - cost,
                    opened_at=lot.opened_at,
                    closed_at=at,
                )
            )
            traded, flow = traded + closed, flow - proceeds
        if traded:
            self._seq += 1
            opened = Lot(self._seq, symbol, traded, -flow, traded, price, execution_id, at)
            lots.append(opened)
            changed.append(opened)
        return LotChanges(tuple(changed), tuple(closings))
