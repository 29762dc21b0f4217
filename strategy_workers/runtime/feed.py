"""Which of an account's order events belong to a slice of the tape. Pure.

It depends on the events' stamps alone, so working through the slice again after a crash takes in
the same ones. Executions count up to the slice's market mark. Other order events count up to
*before* it: an order sent in a strategy phase is stamped with that market mark, too, and must not
be news in the phase that sent it. (An order that expired in the market mark itself is therefore
told one slice later.)
"""

import msgspec

from shared.models.orders import OrderExecuted, OrderUpdated
from shared.redis.streams import position
from strategy_workers.runtime.portfolio import Portfolio

Numbered = tuple[int, OrderExecuted | OrderUpdated]


class Feed(msgspec.Struct):
    """New events of one account, by topic."""

    executions: list[Numbered] = []
    orders: list[Numbered] = []

    def breaks(self, portfolio: Portfolio) -> bool:
        """Events that `portfolio` has not taken in are gone: it must be read from the books."""
        return _starts_after(self.executions, portfolio.executions_seq) or _starts_after(
            self.orders, portfolio.orders_seq
        )

    def until(self, portfolio: Portfolio, market_mark: str) -> list[Numbered]:
        """What `portfolio` has not taken in yet and belongs before `market_mark`, in order."""
        if not self.executions and not self.orders:
            return []
        limit = position(market_mark)
        taken = []
        for event in self.executions:
            if event[0] > portfolio.executions_seq:
                if position(event[1].tape_id) > limit:
                    break
                taken.append(event)
        for event in self.orders:
            if event[0] > portfolio.orders_seq:
                if position(event[1].tape_id) >= limit:
                    break
                taken.append(event)
        taken.sort(key=_in_order)
        return taken


def _starts_after(events: list[Numbered], seq: int) -> bool:
    return bool(events) and events[0][0] > seq + 1


def _in_order(numbered: Numbered) -> tuple[tuple[int, int], int]:
    """By stamp; at the same stamp an order is accepted before it fills, and fills before it ends.

    The sort is stable: events of one topic keep their order.
    """
    event = numbered[1]
    if isinstance(event, OrderExecuted):
        return position(event.tape_id), 1
    return position(event.tape_id), 0 if event.event in ("new", "accepted") else 2
