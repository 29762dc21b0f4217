"""Interest and borrow fees of margin accounts, when a UTC day of market time ends. No I/O.

The entries are in the batch with the state that says up to which day, so a day is paid for once.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time

import msgspec

from order_processor.shards.clock import moment, nanoseconds
from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import Symbol
from shared.models.margin import Carried
from shared.models.risk import RiskState
from shared.trading.books import Books
from shared.trading.changes import Change
from shared.trading.terms import Instrument

_DAY_NS = 86_400 * 1_000_000_000

Record = Callable[[BooksKey, Books, Change], None]
SetState = Callable[[BooksKey, Books, RiskState], None]


class Carry:
    def __init__(
        self,
        books: Mapping[BooksKey, Books],
        market: Market,
        instruments: Mapping[Symbol, tuple[Instrument, float]],
        run_id: Callable[[], str],
        record: Record,
        set_state: SetState,
    ) -> None:
        self._books = books
        self._market = market
        self._instruments = instruments
        #: Of the paced run's last mark; empty before the first and without one.
        self._run_id = run_id
        self._record = record
        self._set_state = set_state
        #: Day and run up to which all books in memory have paid; None: look again.
        self._looked: tuple[int, str] | None = None

    def look_again(self) -> None:
        """There are other margin accounts than before."""
        self._looked = None

    def come_to(self, at_ns: int | None) -> None:
        """Market time has come to `at_ns`, and nothing that happens then was applied yet. None
        for the clock's time."""
        if self._market.time_ns is None:
            at_ns, run_id = nanoseconds(self._market.now()), ""
        else:
            run_id = self._run_id()
            if not run_id or not at_ns:
                return  # its first mark will tell which run it is
        now = (at_ns // _DAY_NS, run_id)
        if now == self._looked:
            return
        self._looked = now
        day = moment(now[0] * _DAY_NS).date()
        for key, books in sorted(self._books.items(), key=lambda each: each[0]):
            if books.margin.terms is not None:
                self._carry(key, books, day, run_id)

    def _carry(self, key: BooksKey, books: Books, day: date, run_id: str) -> None:
        state, carried = books.risk.state, books.risk.state.carried
        if carried == Carried(day, run_id):
            return
        # Another run's time says nothing about how long it was in this one.
        days = (day - carried.until).days if carried and carried.run_id == run_id else 0
        self._set_state(key, books, msgspec.structs.replace(state, carried=Carried(day, run_id)))
        if days <= 0:
            return
        fees = {symbol: each.borrow_fee_bps for symbol, (each, _) in self._instruments.items()}
        for change in books.carry(days, fees, datetime.combine(day, time(0), UTC)):
            self._record(key, books, change)
