"""What the strategies of the library share: how much they buy, and how they guard it."""

from decimal import Decimal
from typing import Any

from strategy_workers.sdk import DecimalParameter, Strategy


class Invested(Strategy):
    """Long with a part of the equity, or flat: a deployment sells only what it has bought."""

    allocation = DecimalParameter(
        default=95,
        low=1,
        high=100,
        help="Percent of equity to invest, in equal parts for each symbol",
    )
    buffer = DecimalParameter(
        default="1.5",
        low=0,
        high=10,
        help="Percent above the last close that the cash must cover, for slippage and fees",
    )

    @property
    def parts(self) -> int:
        """Equal parts of the allocation."""
        return len(self.symbols)

    def note(self, symbol: str) -> dict[str, Any]:
        """What is remembered of `symbol`: a part of `state`."""
        noted: dict[str, Any] = self.state.setdefault(symbol, {})
        return noted

    def is_in(self, symbol: str) -> bool:
        """Something is held, or about to be."""
        return self.position(symbol) > 0 or self.pending(symbol) > 0

    def room(self, symbol: str) -> Decimal:
        """Whole lots that may be bought yet: what is missing to the symbol's share of the
        allocation, as far as the cash goes."""
        price = self.last_price(symbol)
        if price is None:
            return Decimal(0)
        share = self.equity * self.allocation / 100 / self.parts / price
        payable = self.buying_power / (1 + self.buffer / 100) / price
        lots = self.whole_lots(symbol, min(share - self.position(symbol), payable))
        return max(lots, Decimal(0))

    def enter(self, symbol: str, reason: str) -> bool:
        """Buy the symbol's share, unless something is held or ordered already."""
        qty = Decimal(0) if self.is_in(symbol) else self.room(symbol)
        if qty > 0:
            self.buy(symbol, qty, reason=reason)
        return qty > 0

    def guard(self, symbol: str, price: float) -> None:
        """A stop at `price` below all that is held, in place of the one before."""
        noted = self.note(symbol)
        if before := noted.pop("stop", None):
            self.cancel(symbol, before)
        stop = self.on_tick(symbol, price)
        noted["stop"] = self.sell(
            symbol, self.position(symbol), stop_price=stop, reason=f"stop at {stop}"
        )

    def leave(self, symbol: str, reason: str) -> None:
        """Cancel what works, stops too, and sell all."""
        self.cancel(symbol)
        self.note(symbol).pop("stop", None)
        self.close(symbol, reason=reason)
