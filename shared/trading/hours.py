"""When an exchange trades, as orders need to know it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from shared.candles.calendar import SessionCalendar
from shared.models.orders import SubmitOrder, TimeInForce
from shared.trading.terms import Refused

#: They wait for an auction: of a market known by its prints, the first print in regular hours, and
#: the last one before they end.
AUCTIONS: frozenset[TimeInForce] = frozenset({"opg", "cls"})
#: As on the exchanges of New York, and Alpaca's: orders for an auction come so long before it.
_OPENING_CUT_OFF = timedelta(minutes=2)
_CLOSING_CUT_OFF = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(NamedTuple):
    """Of an exchange, as seen at a moment."""

    #: Of the session that is under way, or else the next; extended hours included.
    close: datetime
    #: The next regular open and the next regular close; None where the market never closes.
    opening: datetime | None = None
    closing: datetime | None = None

    def day_end(self, *, extended: bool) -> datetime:
        """Where a DAY order ends."""
        return self.close if extended or self.closing is None else self.closing


def hours_from(calendar: SessionCalendar, at_ns: int) -> Hours | None:
    """None outside of the calendar."""
    close_ns = calendar.close_after(at_ns)
    if close_ns is None:
        return None
    auctions = calendar.auctions_after(at_ns)
    if auctions is None:
        return Hours(_moment(close_ns))
    return Hours(_moment(close_ns), *map(_moment, auctions))


def _moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def in_extended_hours(order: SubmitOrder, *, by_default: bool) -> bool:
    """Whether the order fills outside of regular hours too."""
    if order.time_in_force in AUCTIONS:
        return False
    return by_default if order.extended_hours is None else order.extended_hours


def may_leave_regular_hours(extended: bool, hours: Hours | None) -> bool:
    """Whether an order of which `extended` is said may fill outside of regular hours: not where
    the market never closes. Of hours that aren't known it may."""
    return extended and (hours is None or hours.opening is not None)


def asks_for_hours(order: SubmitOrder) -> bool:
    """Whether the order itself says that the exchange's hours matter to it."""
    return order.extended_hours is False or order.time_in_force in ("day", "opg", "cls")


def extended_hours_fault(order: SubmitOrder) -> Refused | None:
    """An order may ask for extended hours itself when its price protects it there."""
    if not order.extended_hours:
        return None
    if (
        order.order_type == "limit"
        and order.order_class == "simple"
        and order.time_in_force in ("day", "gtc", "gtd")
    ):
        return None
    return Refused(
        "extended_hours_not_allowed",
        "Extended hours are for simple limit orders that are day, gtc or gtd.",
        limit="limit",
        observed=order.order_type,
    )


def auction_fault(force: TimeInForce, hours: Hours | None, now: datetime | None) -> Refused | None:
    """Whether an order can still be entered for its auction, or changed."""
    if force not in AUCTIONS:
        return None
    if now is None or hours is None or hours.opening is None or hours.closing is None:
        return Refused(
            "time_in_force_not_available",
            "It is not known when the market opens and closes next.",
            limit="day, gtc, gtd",
            observed=force,
        )
    if force == "cls":
        last = hours.closing - _CLOSING_CUT_OFF
        # Between sessions the next close is a session away.
        closed = last <= now
    else:
        last = hours.opening - _OPENING_CUT_OFF
        # In regular hours: the auction may be over. The next one takes orders after the close.
        closed = last <= now or hours.closing < hours.opening
    if not closed:
        return None
    return Refused(
        "auction_closed",
        "Orders for the opening are taken from the close of regular hours until 2 minutes before "
        "the open, orders for the closing until 10 minutes before the close.",
        observed=now.isoformat(),
    )
