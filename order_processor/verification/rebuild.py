"""Positions worked out again from executions, as plainly as can be.

Whole numbers of 1e-12 and nothing of `shared/trading`: a fault in the one is not in the other too.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

_UNITS = 10**12
_CENT = _UNITS // 100


class Executed(NamedTuple):
    """One execution; amounts in units of 1e-12, `qty` below zero for a sell."""

    id: str
    symbol: str
    #: Id of the deployment, or `manual`.
    owner: str
    qty: int
    price: int
    fee: int
    realized: int


@dataclass
class Position:
    """In units of 1e-12; quantity and cost below zero for a short position."""

    qty: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0

    def average(self) -> int:
        return _divided(self.cost * _UNITS, self.qty) if self.qty else 0


def units(amount: Decimal) -> int:
    """Of a number with at most 12 decimals."""
    sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int), "stored amounts are finite"
    whole = int("".join(map(str, digits)) or "0")
    shift = exponent + 12
    assert shift >= 0, "stored amounts have at most 12 decimals"
    scaled: int = whole * 10**shift
    return -scaled if sign else scaled


def shown(amount: int) -> str:
    whole, rest = divmod(abs(amount), _UNITS)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 and text != "0" else text


class Happened(NamedTuple):
    """A split or dividend that was carried out on these books; amounts in units of 1e-12."""

    id: str
    symbol: str
    #: Number of the last execution before it.
    after: int
    #: Of a split; zero and zero for a dividend.
    new: int
    old: int
    #: A share, of a dividend.
    amount: int
    #: What is less than so many shares was paid for, at so much.
    unit: int
    price: int


class Converted(NamedTuple):
    """A part of a position went to another owner; in units of 1e-12."""

    symbol: str
    #: Number of the last execution before it.
    after: int
    giver: str
    taker: str
    #: Below zero, of a short position.
    qty: int


class Rebuilt:
    """The positions that executions leave, by symbol, and the profits that don't fit."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        #: By symbol and owner.
        self.owned: dict[tuple[str, str], Position] = {}
        #: Open quantity of each lot, by its number, with its symbol; the oldest is closed first.
        self.lots: dict[int, tuple[str, int]] = {}
        self._open_lots: dict[str, list[int]] = {}
        #: (execution, profit that it should have realised, what it says).
        self.wrong_profits: list[tuple[str, int, int]] = []
        self.executions = 0
        #: What each split or dividend brought or took, by its id.
        self.paid: dict[str, int] = {}

    def take(
        self, executions: Iterable[Executed], happened: Iterable[Happened | Converted] = ()
    ) -> None:
        """In their order; `happened` likewise."""
        waiting = deque(happened)
        for each in executions:
            while waiting and waiting[0].after <= self.executions:
                self._happen(waiting.popleft())
            self.executions += 1
            position = self.positions.setdefault(each.symbol, Position())
            _traded(self.owned.setdefault((each.symbol, each.owner), Position()), each)
            self._take_lots(each)
            realized = _traded(position, each)
            if realized != each.realized:
                self.wrong_profits.append((each.id, realized, each.realized))

        for what in waiting:
            self._happen(what)

    def _happen(self, what: Happened | Converted) -> None:
        if isinstance(what, Converted):
            giver = self.owned.setdefault((what.symbol, what.giver), Position())
            taker = self.owned.setdefault((what.symbol, what.taker), Position())
            cost = _divided(giver.cost * what.qty, giver.qty) if giver.qty else 0
            giver.qty -= what.qty
            giver.cost -= cost
            _moved(taker, what.qty, -cost)
            return
        position = self.positions.get(what.symbol, Position())
        if not what.new:
            # To the cent, halves away from zero.
            cents = _CENT * _UNITS
            owed = abs(position.qty * what.amount)
            paid = (2 * owed + cents) // (2 * cents) * _CENT
            self.paid[what.id] = paid if position.qty > 0 else -paid
            return
        self.paid[what.id] = 0
        owned = {who: each for who, each in self.owned.items() if who[0] == what.symbol}
        if not any(each.qty for each in (position, *owned.values())):
            return
        ratio = Fraction(what.new, what.old)
        net = int(position.qty * ratio / what.unit)
        flow = _split(position, net * what.unit, ratio, what.price)
        self.paid[what.id] = flow
        self._split_owned(owned, net, flow, ratio, what)
        self._split_lots(ratio, what)

    def _split_owned(
        self,
        owned: dict[tuple[str, str], Position],
        net: int,
        flow: int,
        ratio: Fraction,
        what: Happened,
    ) -> None:
        """Whole units for each; those with the largest rests get one more, until it adds up."""
        shares = {who: each.qty * ratio / what.unit for who, each in owned.items()}
        units = {who: math.floor(each) for who, each in shares.items()}
        in_turn = sorted(owned, key=lambda who: (units[who] - shares[who], who[1]))
        for who in in_turn[: net - sum(units.values())]:
            units[who] += 1
        paid = sum(
            _split(each, units[who] * what.unit, ratio, what.price) for who, each in owned.items()
        )
        owned[in_turn[0]].realized += flow - paid

    def _split_lots(self, ratio: Fraction, what: Happened) -> None:
        shares, units = Fraction(0), 0
        waiting = self._open_lots.get(what.symbol, [])
        for number in waiting:
            shares += self.lots[number][1] * ratio / what.unit
            self.lots[number] = (what.symbol, (int(shares) - units) * what.unit)
            units = int(shares)
        self._open_lots[what.symbol] = [each for each in waiting if self.lots[each][1]]

    def _take_lots(self, each: Executed) -> None:
        waiting, rest = self._open_lots.setdefault(each.symbol, []), each.qty
        while rest and waiting and (self.lots[waiting[0]][1] > 0) != (rest > 0):
            number = waiting[0]
            held = self.lots[number][1]
            closed = min(abs(held), abs(rest)) * (1 if held > 0 else -1)
            self.lots[number] = (each.symbol, held - closed)
            rest += closed
            if held == closed:
                waiting.pop(0)
        if rest:
            number = len(self.lots) + 1
            self.lots[number] = (each.symbol, rest)
            waiting.append(number)


def _split(position: Position, qty: int, ratio: Fraction, price: int) -> int:
    """Change the position to `qty`, and sell or buy what that is less or more; the cash for it."""
    shares = position.qty * ratio
    given_up = shares - qty
    flow = round(given_up * price / _UNITS)
    if given_up * shares > 0:
        removed = round(position.cost * given_up / shares)
        position.realized += flow - removed
        position.cost -= removed
    else:
        position.cost -= flow
    position.qty = qty
    return flow


def _traded(position: Position, each: Executed) -> int:
    """Change the position; the profit that it realised."""
    notional = abs(each.qty) * each.price
    # A buy pays what is rounded up, a sell brings what is rounded down.
    flow = -notional // _UNITS if each.qty > 0 else notional // _UNITS
    position.fees += each.fee
    return _moved(position, each.qty, flow)


def _moved(position: Position, qty: int, flow: int) -> int:
    """What comes or goes for what is paid or brought; the profit that it realised."""
    against = (position.qty > 0) != (qty > 0) and position.qty != 0
    closed = min(abs(qty), abs(position.qty)) if against else 0
    flow_of_closed = _divided(flow * closed, abs(qty))
    cost_of_closed = _divided(position.cost * closed, abs(position.qty)) if closed else 0
    realized = flow_of_closed - cost_of_closed
    position.qty += qty
    position.cost += -cost_of_closed - (flow - flow_of_closed)
    position.realized += realized
    return realized


def _divided(number: int, by: int) -> int:
    """To the nearest, halves to the even."""
    if by < 0:
        number, by = -number, -by
    whole, rest = divmod(number, by)
    up = 2 * rest > by or (2 * rest == by and whole % 2 == 1)
    return whole + up
