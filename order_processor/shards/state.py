"""A shard as it was stored: what its memory is built from."""

from datetime import datetime
from uuid import UUID

import msgspec

from order_processor.corporate_actions.records import LookRecord, Seen
from order_processor.position_conversions.records import Owner
from order_processor.position_conversions.repository import ConversionName
from order_processor.shards.clock import moment
from shared.models.cash import LedgerEntry
from shared.models.conversions import PositionConversion
from shared.models.identifiers import Mode, Symbol
from shared.models.orders import Order
from shared.redis.streams import BEGINNING, position
from shared.trading.books import BooksState
from shared.trading.changes import WorkingOrder
from shared.trading.halts import HaltState
from shared.trading.quotes import Quote
from shared.trading.terms import AccountTerms, Instrument

#: One set of books.
BooksKey = tuple[UUID, Mode]


class LastPrice(msgspec.Struct, frozen=True):
    price: float
    at_ns: int
    #: Tape entry that it came in.
    tape_id: str


class LastQuote(msgspec.Struct, frozen=True):
    #: What stands; None when what came after the last quote that counts took it away.
    quote: Quote | None
    #: Tape entry that the last quote that counts came in, and its time.
    tape_id: str
    at_ns: int


class LastSeen(msgspec.Struct):
    """What the run under way has told of each symbol last."""

    prices: dict[Symbol, LastPrice] = msgspec.field(default_factory=dict)
    quotes: dict[Symbol, LastQuote] = msgspec.field(default_factory=dict)
    halts: dict[Symbol, HaltState] = msgspec.field(default_factory=dict)

    def met_by(self, working: WorkingOrder) -> bool:
        """Whether a print, or a quote that counts, has come since the order reached the market."""
        symbol, taken_at = working.order.symbol, position(working.tape_id)
        return any(
            each is not None
            and position(each.tape_id) > taken_at
            and not working.on_its_way(moment(each.at_ns))
            for each in (self.prices.get(symbol), self.quotes.get(symbol))
        )


class StoredBooks(msgspec.Struct):
    account: AccountTerms
    mode: Mode
    state: BooksState
    #: Topic → number of its last event.
    topic_seqs: dict[str, int]
    #: Where the symbols of its working orders are traded.
    exchanges: dict[Symbol, str] = {}
    #: Splits and dividends that they have seen.
    actions: Seen = msgspec.field(default_factory=Seen)


class Cursors(msgspec.Struct, frozen=True):
    """The shard's row: everything up to here is in the tables."""

    command: str = BEGINNING
    tape: str = BEGINNING
    event_seq: int = 0
    published_seq: int = 0
    market_entry: str = BEGINNING
    #: None when the wall clock is the time; 0 in a paced run before its first print.
    market_time_ns: int | None = None
    mark_number: int = 0
    mark_run_id: str = ""


class StoredShard(msgspec.Struct):
    cursors: Cursors
    last_seen: LastSeen
    books: list[StoredBooks]
    #: The last kill of the platform that the shard has carried out.
    halt_done: int = 0
    looks: list[LookRecord] = []


class Unknowns(msgspec.Struct):
    """What commands name that is not in memory, or is there for too long."""

    books: set[BooksKey] = msgspec.field(default_factory=set)
    accounts: set[UUID] = msgspec.field(default_factory=set)
    orders: set[UUID] = msgspec.field(default_factory=set)
    symbols: set[Symbol] = msgspec.field(default_factory=set)
    #: Cash that was entered, by the name that its command gave it.
    entries: set[tuple[BooksKey, str]] = msgspec.field(default_factory=set)
    #: That trade what was split.
    deployments: set[UUID] = msgspec.field(default_factory=set)
    #: Owners of parts of positions, read anew each time.
    owners: set[UUID] = msgspec.field(default_factory=set)
    conversions: set[ConversionName] = msgspec.field(default_factory=set)
    #: What is found will name more that must be looked up.
    again: bool = False

    def __bool__(self) -> bool:
        return bool(self.orders) or self._more

    @property
    def only_orders(self) -> bool:
        return not self._more

    @property
    def _more(self) -> bool:
        return bool(
            self.books
            or self.accounts
            or self.symbols
            or self.entries
            or self.deployments
            or self.owners
            or self.conversions
        )


class Lookup(msgspec.Struct, frozen=True):
    """What the database knows of `Unknowns`; what it doesn't know is missing here."""

    books: list[StoredBooks]
    accounts: list[AccountTerms]
    orders: list[Order]
    instruments: list[Instrument]
    entries: dict[tuple[BooksKey, str], LedgerEntry]
    #: When they were made.
    deployments: dict[UUID, datetime]
    owners: dict[UUID, Owner]
    conversions: dict[ConversionName, PositionConversion]
