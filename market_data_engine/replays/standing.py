"""What of the quotes and halts that a run has passed over still stands where it goes on."""

from shared.models.identifiers import Symbol
from shared.models.market import Halts, Quotes
from shared.trading.quotes import FRESH_NS

#: Time, bid, ask, bid size, ask size.
_Row = tuple[int, float, float, float, float]


class StandingQuotes:
    def __init__(self) -> None:
        self._last: dict[Symbol, _Row] = {}
        #: Symbols that were halted last.
        self._halted: dict[Symbol, bool] = {}
        self._settled: list[Quotes | Halts] = []

    def pass_over(self, quotes: Quotes | None, halts: Halts | None = None) -> None:
        if halts is not None:
            self._halted.update(zip(halts.symbols, halts.halted, strict=True))
        if quotes is None:
            return
        rows = zip(
            quotes.at_ns, quotes.bid, quotes.ask, quotes.bid_size, quotes.ask_size, strict=True
        )
        for index, row in zip(quotes.symbol_index, rows, strict=True):
            self._last[quotes.symbols[index]] = row

    def settle(self, at_ns: int) -> None:
        """The run goes on from `at_ns`. What is too old by then to be filled at isn't told: with
        its date made new it would look fresh."""
        standing = {name: row for name, row in self._last.items() if at_ns - row[0] <= FRESH_NS}
        self._settled = []
        if self._halted:
            times = [at_ns] * len(self._halted)
            told = Halts(
                symbols=list(self._halted), at_ns=times, halted=list(self._halted.values())
            )
            self._settled.append(told)
        if not standing:
            return
        _, bid, ask, bid_size, ask_size = zip(*standing.values(), strict=True)
        self._settled.append(
            Quotes(
                symbols=list(standing),
                symbol_index=list(range(len(standing))),
                at_ns=[at_ns] * len(standing),
                bid=list(bid),
                ask=list(ask),
                bid_size=list(bid_size),
                ask_size=list(ask_size),
            )
        )

    def take(self) -> list[Quotes | Halts]:
        """What stands, once: it goes on the tape before all that comes after the jump."""
        settled, self._settled = self._settled, []
        self._last = {}
        self._halted = {}
        return settled
