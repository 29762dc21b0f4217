"""Which symbols don't trade for now, and which have not printed since they may again. Pure.

While a symbol is halted nothing of it fills, triggers or trails. It reopens with its first print
after the resumption, which is the first print of every order that works then; quotes alone don't
open it, and what was quoted before the halt doesn't count any more.
"""

from collections.abc import Mapping
from typing import Literal

from shared.models.identifiers import Symbol
from shared.trading.terms import Refused

HaltState = Literal["halted", "reopening"]

HALTED = Refused("trading_halted", "Trading in the symbol is halted, and it can't wait.")


class Halts:
    def __init__(self, known: Mapping[Symbol, HaltState]) -> None:
        self.known: dict[Symbol, HaltState] = dict(known)

    def take(self, symbol: Symbol, *, halted: bool) -> bool:
        """What the market says; whether that is new."""
        before = self.known.get(symbol)
        if halted:
            self.known[symbol] = "halted"
        elif before == "halted":
            self.known[symbol] = "reopening"
        return self.known.get(symbol) != before

    def is_halted(self, symbol: Symbol) -> bool:
        return self.known.get(symbol) == "halted"

    def holds_quotes(self, symbol: Symbol) -> bool:
        return symbol in self.known

    def reopens(self, symbol: Symbol) -> bool:
        """Whether a print of a symbol that isn't halted is the one that reopens it. Once."""
        if self.known.get(symbol) != "reopening":
            return False
        del self.known[symbol]
        return True
