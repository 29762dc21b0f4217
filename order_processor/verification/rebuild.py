"""Positions worked out again from executions, as plainly as can be.

Whole numbers of 1e-12 and nothing of `shared/trading`: a fault in the one is not in the other too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

_UNITS = 10**12


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

    def take(self, executions: Iterable[Executed]) -> None:
        """In their order."""
        for each in executions:
            self.executions += 1
            position = self.positions.setdefault(each.symbol, Position())
            _traded(self.owned.setdefault((each.symbol, each.owner), Position()), each)
            self._take_lots(each)
            realized = _traded(position, each)
            if realized != each.realized:
                self.wrong_profits.append((each.id, realized, each.realized))

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


def _traded(position: Position, each: Executed) -> int:
    """Change the position; the profit that it realised."""
    notional = abs(each.qty) * each.price
    # A buy pays what is rounded up, a sell brings what is rounded down.
    flow = -notional // _UNITS if each.qty > 0 else notional // _UNITS
    against = (position.qty > 0) != (each.qty > 0) and position.qty != 0
    closed = min(abs(each.qty), abs(position.qty)) if against else 0
    flow_of_closed = _divided(flow * closed, abs(each.qty))
    cost_of_closed = _divided(position.cost * closed, abs(position.qty)) if closed else 0
    realized = flow_of_closed - cost_of_closed
    position.qty += each.qty
    position.cost += -cost_of_closed - (flow - flow_of_closed)
    position.realized += realized
    position.fees += each.fee
    return realized


def _divided(number: int, by: int) -> int:
    """To the nearest, halves to the even."""
    if by < 0:
        number, by = -number, -by
    whole, rest = divmod(number, by)
    up = 2 * rest > by or (2 * rest == by and whole % 2 == 1)
    return whole + up
