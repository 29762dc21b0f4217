"""What one shard knows: its books, and what else commands may name.

No I/O: what commands name that is not here is looked up by the shard's owner first (`unknown_to`,
`learn`).
"""

from collections.abc import Callable, Iterable
from itertools import islice
from time import monotonic
from uuid import UUID

import msgspec

from order_processor.position_conversions.records import Owner
from order_processor.position_conversions.repository import ConversionName
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.market import Market
from order_processor.shards.past import Past
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import BooksKey, Lookup, Unknowns
from shared.models.cash import ConvertCash, LedgerEntry, MoveCash, entry_names
from shared.models.conversions import ConvertPosition, PositionConversion
from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.orders import (
    CancelOrder,
    ClosePositions,
    Command,
    HearBroker,
    Order,
    ProtectPosition,
    ReplaceOrder,
    SubmitOrder,
)
from shared.models.risk import EngageKillSwitch, FollowLimits
from shared.redis.keys import shard_of
from shared.trading.books import Books
from shared.trading.changes import order_id_of
from shared.trading.classes import leg_ids
from shared.trading.drafts import closing_id
from shared.trading.hours import asks_for_hours
from shared.trading.terms import Instrument, Refused

#: An account's terms and an instrument are read again when they are older than this.
_TERMS_AGE_S = 1.0
_TERMS_AT_ONCE = 256
_MODES: tuple[Mode, ...] = ("paper", "live")
_INSTRUMENT_AGE_S = 5.0
#: Orders that have ended and are kept for commands that come again, and named entries of cash.
_ENDED_KEPT = 20_000
_ENTRIES_KEPT = 1_000


class Memory:
    def __init__(
        self,
        shard: int,
        shards: int,
        market: Market,
        sessions: Sessions,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._market = market
        self._sessions = sessions
        self._clock = clock
        self.books: dict[BooksKey, Books] = {}
        self._terms_read: dict[UUID, float] = {}
        #: Accounts with commands since their terms were read.
        self._asked: set[UUID] = set()
        #: Each with when it was read.
        self.instruments: dict[Symbol, tuple[Instrument, float]] = {}
        self.ended: Past[OrderId, Order] = Past(_ENDED_KEPT)
        self.entries: Past[tuple[BooksKey, str], LedgerEntry] = Past(_ENTRIES_KEPT)
        self.currencies: dict[UUID, str] = {}
        self.conversions: Past[ConversionName, PositionConversion] = Past(_ENTRIES_KEPT)
        #: Of the conversions that were looked up last.
        self.owners: dict[UUID, Owner] = {}

    def take_up(self, key: BooksKey, books: Books) -> None:
        self.books[key] = books
        self._terms_read[books.account.id] = self._clock()

    def seal(self) -> None:
        self.ended.seal()
        self.entries.seal()
        self.conversions.seal()

    def forget(self) -> None:
        """What was sealed can be looked up from now on."""
        self.ended.forget()
        self.entries.forget()
        self.conversions.forget()

    def unknown_to(self, entries: list[CommandEntry]) -> Unknowns:
        """What must be looked up before these commands can be applied."""
        now = self._clock()
        unknown = Unknowns()
        for entry in entries:
            command = entry.command
            if command is None or isinstance(command, FollowLimits) or self.foreign(command):
                continue
            account_id = command.account_id
            if (account_id, command.mode) not in self.books:
                unknown.books.add((account_id, command.mode))
            else:
                self._asked.add(account_id)
                if now - self._terms_read[account_id] > _TERMS_AGE_S:
                    unknown.accounts.add(account_id)
            if isinstance(command, MoveCash | ConvertCash):
                for entry_name in entry_names(command):
                    name = ((account_id, command.mode), entry_name)
                    if name not in self.entries and "\x00" not in entry_name:
                        unknown.entries.add(name)
            if isinstance(command, ConvertPosition):
                self._name_conversion(command, unknown)
            other = command.counterpart_id if isinstance(command, MoveCash) else None
            if other and other not in self.currencies:
                unknown.accounts.add(other)
            orders, symbols = self._named_by(command, unknown)
            unknown.orders.update(each for each in orders if self.find(command, each) is None)
            for symbol in symbols:
                _, read_at = self.instruments.get(symbol, (None, -_INSTRUMENT_AGE_S))
                if now - read_at >= _INSTRUMENT_AGE_S and "\x00" not in symbol:
                    unknown.symbols.add(symbol)
        if unknown.accounts:
            # Those that will be asked for soon come along: each by itself would be a round trip
            # that the shard waits for.
            soon = now - _TERMS_AGE_S / 2
            due = (each for each in self._asked if self._terms_read[each] < soon)
            unknown.accounts.update(islice(due, _TERMS_AT_ONCE))
        return unknown

    def _name_conversion(self, command: ConvertPosition, unknown: Unknowns) -> None:
        name = ((command.account_id, command.mode), command.client_conversion_id)
        if name not in self.conversions and "\x00" not in name[1]:
            unknown.conversions.add(name)
        owners = (command.from_deployment_id, command.to_deployment_id)
        unknown.owners.update(each for each in owners if each is not None)

    def _named_by(
        self, command: Command, unknown: Unknowns
    ) -> tuple[Iterable[OrderId], Iterable[Symbol]]:
        """Orders and symbols that a command is about; those that only the books or another order
        can tell are named when these are known."""
        account_id, mode = command.account_id, command.mode
        match command:
            case SubmitOrder():
                ids = [command.client_order_id, *leg_ids(command)]
                return [order_id_of(account_id, mode, each) for each in ids], [command.symbol]
            case CancelOrder():
                return [command.order_id], []
            case HearBroker():
                name = command.update.order.client_order_id
                return [order_id_of(account_id, mode, name)], []
            case ReplaceOrder():
                old = self.find(command, command.order_id)
                unknown.again |= old is None
                new_id = order_id_of(account_id, mode, command.client_order_id)
                return [command.order_id, new_id], [] if old is None else [old.symbol]
            case ConvertPosition():
                return [], [command.symbol]
            case ProtectPosition():
                names = [command.client_order_id, f"{command.client_order_id}.stop_loss"]
                return [order_id_of(account_id, mode, each) for each in names], [command.symbol]
            case ClosePositions():
                books = self.books.get((account_id, mode))
                unknown.again |= books is None
                symbols = list(books.holdings) if books is not None else []
                if command.symbol is not None:
                    symbols = [command.symbol]
                names = [closing_id(command, symbol) for symbol in symbols]
                return [order_id_of(account_id, mode, name) for name in names], symbols
            case EngageKillSwitch(flatten=True):
                books = self.books.get((account_id, mode))
                unknown.again |= books is None
                return [], [] if books is None else list(books.holdings)
            case _:
                return [], []

    def learn(self, asked: Unknowns, found: Lookup) -> None:
        """But for the books, which come by `take_up`."""
        now = self._clock()
        for account in found.accounts:
            self._terms_read[account.id] = now
            self._asked.discard(account.id)
            self.currencies[account.id] = account.base_currency
            for mode in _MODES:
                opened = self.books.get((account.id, mode))
                if opened is not None:
                    # Its kind is changed by commands alone, and what the table has may be older.
                    opened.account = msgspec.structs.replace(account, margin=opened.margin.terms)
        for order in found.orders:
            self.ended.setdefault(order.id, order)
        for name, entry in found.entries.items():
            self.entries.setdefault(name, entry)
        self.owners |= found.owners
        for conversion_name, conversion in found.conversions.items():
            self.conversions.setdefault(conversion_name, conversion)
        for symbol in asked.symbols:
            self.instruments.pop(symbol, None)
        for instrument in found.instruments:
            self.instruments[instrument.symbol] = (instrument, now)
            self._market.list_symbol(instrument.symbol, instrument.exchange)

    def doubt_instruments(self) -> None:
        """Their terms may have changed: they are looked up before they are needed again."""
        self.instruments.clear()

    def unprepared_exchanges(self, entries: list[CommandEntry]) -> set[str]:
        """Exchanges whose hours these commands need, and that must be prepared first."""
        exchanges: set[str] = set()
        for entry in entries:
            command = entry.command
            if command is None:
                continue
            books = self.books.get((command.account_id, command.mode))
            if books is not None and (
                books.risk.looks_at_hours or not books.account.paper.extended_hours
            ):
                exchanges |= self._market.exchanges
            elif isinstance(command, SubmitOrder) and asks_for_hours(command):
                known = self.instruments.get(command.symbol)
                exchanges |= set() if known is None else {known[0].exchange}
        return {exchange for exchange in exchanges if not self._sessions.ready(exchange)}

    def unprepared_for_memory(self) -> set[str]:
        """The same for the orders that work already, and for those that risk limits may make."""
        cautious = any(not each.account.paper.extended_hours for each in self.books.values())
        exchanges = set(self._market.exchanges) if cautious else set()
        for books in self.books.values():
            for working in books.working.values():
                if not working.order.extended_hours:
                    exchanges |= self._market.exchange_of(working.order.symbol)
        return {exchange for exchange in exchanges if not self._sessions.ready(exchange)}

    def foreign(self, command: Command) -> Refused | None:
        """Why the command can't be looked at here at all."""
        owner = shard_of(command.account_id, self._shards)
        if owner != self._shard:
            return Refused(
                "wrong_shard",
                "The command came to a shard that does not own the account.",
                str(owner),
                str(self._shard),
            )
        return None

    def find(self, command: Command, order_id: OrderId) -> Order | None:
        """The order in memory; None when it isn't, or is of another account or mode."""
        books = self.books.get((command.account_id, command.mode))
        working = books.working.get(order_id) if books is not None else None
        order = working.order if working is not None else self.ended.get(order_id)
        if order is None:
            return None
        own = order.account_id == command.account_id and order.mode == command.mode
        return order if own else None
