"""What a latch or a switch does to one set of books, or to one deployment's part of them. No I/O.

Cancel what works, close the positions if asked to, pause the strategies, store the state, tell.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from order_processor.risk.audit import record_of_event
from order_processor.risk.notices import notice_of
from order_processor.risk.records import RiskRecord
from order_processor.shards.batch import Batch
from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import ClosePositions
from shared.models.risk import RiskChanged, RiskEventKind, RiskState
from shared.trading.amounts import ZERO
from shared.trading.books import Books
from shared.trading.changes import BrokerNoted, LiveChange, OrderChanged
from shared.trading.terms import Instrument, Refused

#: Who does what nobody has commanded.
ACTOR = "risk"
_URGENT: frozenset[RiskEventKind] = frozenset(
    {
        "loss_limit_latched",
        "kill_switch_engaged",
        "platform_halted",
        "margin_called",
        "margin_liquidation",
        "deployment_loss_latched",
    }
)
#: Not an answer to anybody's command.
_BY_ITSELF: frozenset[RiskEventKind] = frozenset(
    {
        "loss_limit_latched",
        "platform_halted",
        "margin_called",
        "margin_call_met",
        "margin_liquidation",
        "deployment_loss_latched",
    }
)

Record = Callable[[BooksKey, Books, LiveChange], None]


class Measures:
    def __init__(
        self,
        market: Market,
        instruments: Mapping[Symbol, tuple[Instrument, float]],
        record: Record,
        batch: Callable[[], Batch],
        tape_id: Callable[[], str],
        watch: Callable[[BooksKey, Books], None],
    ) -> None:
        self._market = market
        self._instruments = instruments
        self._record = record
        self._batch = batch
        self._tape_id = tape_id
        #: Told of books whose state has changed.
        self._watch = watch

    def act(
        self,
        key: BooksKey,
        books: Books,
        state: RiskState,
        event: RiskEventKind,
        why: str,
        *,
        flatten: bool,
        deployment_id: UUID | None = None,
    ) -> None:
        """On all of the books, or on what is one deployment's.

        Orders that are closing positions already go on doing so, unless others take their place.
        """
        at = self._market.now(books.mode)
        cancelled = self._cancel(books, at, deployment_id, spare_closing=not flatten)
        for each in cancelled:
            self._record(key, books, each)
        closing = 0
        not_closed: tuple[str, ...] = ()
        if flatten:
            state = msgspec.structs.replace(state, flattened=state.flattened + 1)
            closing, not_closed = self._flatten(key, books, state.flattened, at, deployment_id)
        self.set_state(key, books, state)
        if deployment_id is None:
            self.pause(key, why)
        else:
            self._batch().risk.deployment_pauses[deployment_id] = why
        self.tell(key, books, event, len(cancelled), closing, not_closed, deployment_id)

    def pause(self, key: BooksKey, why: str) -> None:
        """The running strategies."""
        self._batch().risk.pauses[key] = why

    def set_state(self, key: BooksKey, books: Books, state: RiskState) -> None:
        books.risk.state = state
        self._batch().risk.states[key] = RiskRecord(key[0], key[1], state)
        self._watch(key, books)

    def tell(
        self,
        key: BooksKey,
        books: Books,
        event: RiskEventKind,
        cancelled: int = 0,
        closing: int = 0,
        not_closed: tuple[str, ...] = (),
        deployment_id: UUID | None = None,
    ) -> None:
        state = books.risk.state
        account_id = AccountId(key[0])
        own = state.deployments.get(deployment_id) if deployment_id is not None else None
        changed = RiskChanged(
            account_id=account_id,
            mode=key[1],
            event=event,
            at=self._market.now(),
            urgent=event in _URGENT,
            loss=state.loss,
            kill=state.kill,
            cancelled=cancelled,
            closing=closing,
            not_closed=not_closed,
            tape_id=self._tape_id(),
            margin_call=state.margin_call,
            deployment_id=deployment_id,
            deployment_latch=None if own is None else own.latch,
        )
        self._batch().tell(account_id, key[1], "risk", changed)
        owner_id, halt = books.account.owner_id, books.risk.halt
        if owner_id is not None:
            notice = notice_of(changed, owner_id, None if halt is None else halt.reason)
            if notice is not None:
                self._batch().risk.notices.append(notice)
        if event in _BY_ITSELF:
            self._batch().risk.audit.append(record_of_event(changed, ACTOR))

    # --- orders ------------------------------------------------------------------------------

    def _cancel(
        self, books: Books, at: datetime, deployment_id: UUID | None, *, spare_closing: bool
    ) -> Sequence[OrderChanged | BrokerNoted]:
        live = books.mode == "live"
        if deployment_id is None:
            if live:
                return books.want_cancel(None, None, spare_closing=spare_closing)
            return books.cancel_all(None, at, spare_closing=spare_closing)
        own = [
            each.order.id
            for each in books.working.values()
            if each.order.deployment_id == deployment_id
            and not (spare_closing and each.order.closes_position)
        ]
        if live:
            return [each for order_id in own for each in books.want_cancel(None, order_id)]
        # Some of them end with others of their group.
        return [each for order_id in own for each in books.cancel(order_id, at)]

    def _flatten(
        self,
        key: BooksKey,
        books: Books,
        number: int,
        at: datetime,
        deployment_id: UUID | None,
    ) -> tuple[int, tuple[str, ...]]:
        """How many orders close positions now, and which positions they leave, or a part of."""
        closing, not_closed = 0, []
        for symbol, wanted in sorted(_held(books, deployment_id).items()):
            part = self._closable(books, symbol, wanted)
            if not part:
                not_closed.append(str(symbol))
                continue
            command = ClosePositions(
                request_id="",
                reply_to="",
                account_id=AccountId(key[0]),
                mode=key[1],
                # No client can choose such a name: theirs have no spaces.
                client_order_id=f"risk close {number}",
                submitted_by=ACTOR,
                qty=None if part == abs(books.holdings[symbol].qty) else part,
                deployment_id=deployment_id,
            )
            instrument, _ = self._instruments.get(symbol, (None, 0.0))
            price = self._market.price_of(symbol)
            closed = books.close(symbol, command, instrument, price, at, self._tape_id())
            if isinstance(closed, Refused):
                not_closed.append(str(symbol))
                continue
            for each in closed:
                self._record(key, books, each)
            rejected = closed[-1].order.status == "rejected"
            closing += not rejected
            if rejected or part != abs(wanted):
                not_closed.append(str(symbol))
        return closing, tuple(not_closed)

    def _closable(self, books: Books, symbol: Symbol, wanted: Decimal) -> Decimal:
        """How much of it can be closed: what others hold against it is not opened anew."""
        net = books.holdings[symbol].qty
        if (net > 0) != (wanted > 0):
            return ZERO
        part = min(abs(wanted), abs(net))
        # At a broker, what working sells are for is theirs until they have ended.
        free = books.free_qty(symbol) if books.mode == "live" else ZERO
        return min(part, free) if free > 0 else part


def _held(books: Books, deployment_id: UUID | None) -> dict[Symbol, Decimal]:
    if deployment_id is None:
        positions = list(books.holdings.values())
    else:
        positions = [each for owner, each in books.strategy_holdings if owner == deployment_id]
    return {each.symbol: each.qty for each in positions if each.qty}
