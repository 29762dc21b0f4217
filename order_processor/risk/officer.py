"""Acts for the risk ladder in one shard: latches, cancels, closes, and lets go again. No I/O.

What it does is part of the desk's batch, so latch, cancelled orders, closing orders, paused
strategies and the event become durable together, or not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from time import monotonic

import msgspec

from order_processor.risk.audit import record_of_event
from order_processor.risk.carry import Carry
from order_processor.risk.margin_calls import MarginCalls
from order_processor.risk.records import RiskRecord
from order_processor.risk.reports import report
from order_processor.risk.rules import Rules
from order_processor.shards.batch import Batch
from order_processor.shards.market import Market
from order_processor.shards.replies import refusal
from order_processor.shards.state import BooksKey
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import (
    ClosePositions,
    Reply,
)
from shared.models.risk import (
    AcknowledgeLoss,
    ChangeMargin,
    EngageKillSwitch,
    FollowLimits,
    Latch,
    LimitsFollowed,
    ReleaseKillSwitch,
    RiskChanged,
    RiskCommand,
    RiskEventKind,
    RiskState,
    SeeRisk,
)
from shared.trading.amounts import ZERO, shown
from shared.trading.books import Books
from shared.trading.changes import BrokerNoted, LiveChange, OrderChanged
from shared.trading.margin_calls import MarginRules
from shared.trading.risk import Bound
from shared.trading.terms import Instrument, Refused

#: Where the wall clock is the time, losses are looked at so often at most.
CHECK_INTERVAL_S = 0.05
_ACTOR = "risk"
_URGENT: frozenset[RiskEventKind] = frozenset(
    {
        "loss_limit_latched",
        "kill_switch_engaged",
        "platform_halted",
        "margin_called",
        "margin_liquidation",
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
    }
)

Record = Callable[[BooksKey, Books, LiveChange], None]


class RiskOfficer:
    def __init__(
        self,
        books: Mapping[BooksKey, Books],
        market: Market,
        instruments: Mapping[Symbol, tuple[Instrument, float]],
        record: Record,
        batch: Callable[[], Batch],
        tape_id: Callable[[], str],
        halt_done: int,
        margin_rules: MarginRules,
        run_id: Callable[[], str],
    ) -> None:
        self._books = books
        self._market = market
        self._instruments = instruments
        self._record = record
        self._batch = batch
        self._tape_id = tape_id
        self._halt_done = halt_done
        self._rules = Rules()
        #: Books whose losses are limited, and those of them whose prices have moved.
        self._watched: set[BooksKey] = set()
        self._moved: set[BooksKey] = set()
        self._next_check = 0.0
        self._look_for_instruments = False
        self._margin_calls = MarginCalls(
            margin_rules,
            market,
            instruments,
            tape_id,
            record,
            self._set_state,
            self._tell,
            self._pause,
        )
        self.carry = Carry(books, market, instruments, run_id, record, self._set_state)

    # --- rules -------------------------------------------------------------------------------

    def take_rules(self, rules: Rules) -> None:
        if rules is self._rules:
            return
        self._rules = rules
        for key, books in self._books.items():
            self.take_up(key, books)

    def follow(self, command: FollowLimits) -> Reply:
        """The owner has looked for new rules because of this command."""
        version = self._rules.version
        if version < command.version:
            what = f"The rules are at version {version}."
            return refusal(command, Refused("limits_not_followed", what))
        return LimitsFollowed(request_id=command.request_id, version=version)

    def take_up(self, key: BooksKey, books: Books) -> None:
        """Books that are new here, or whose limits may have changed."""
        guard, account = books.risk, books.account
        guard.ladder = self._rules.ladder(account.owner_id, account.id, books.mode)
        guard.halt = self._rules.halt
        self._look_for_instruments = True
        self.carry.look_again()
        self._watch(key, books)

    def _watch(self, key: BooksKey, books: Books) -> None:
        self._margin_calls.watch(key, books)
        if books.risk.watches_loss or books.margin.terms is not None:
            self._watched.add(key)
            self._moved.add(key)
        else:
            self._watched.discard(key)
            self._moved.discard(key)

    def missing_instruments(self) -> set[Symbol]:
        """Symbols that closing positions would need and that must be looked up first."""
        if not self._look_for_instruments:
            return set()
        self._look_for_instruments = False
        halt = self._rules.halt
        halting = halt is not None and halt.flatten and self._halt_due
        return {
            symbol
            for books in self._books.values()
            if halting
            or books.margin.terms is not None
            or (books.risk.watches_loss and books.risk.ladder.account.flatten_on_loss)
            for symbol in _at_stake(books)
            if symbol not in self._instruments
        }

    # --- the platform's kill switch ----------------------------------------------------------

    @property
    def _halt_due(self) -> bool:
        halt = self._rules.halt
        return halt is not None and halt.number > self._halt_done

    def carry_out_halt(self) -> None:
        """Once for each time that the switch was engaged, however often the shard starts."""
        halt = self._rules.halt
        if halt is None or halt.number <= self._halt_done:
            return
        for key, books in sorted(self._books.items(), key=lambda each: each[0]):
            why = f"The platform's kill switch was engaged: {halt.reason}"
            self._act(key, books, books.risk.state, "platform_halted", why, flatten=halt.flatten)
        self._halt_done = halt.number
        self._batch().risk.halt_done = halt.number

    # --- losses ------------------------------------------------------------------------------

    def prices_moved(self, holders: set[BooksKey]) -> None:
        if self._watched:
            self._moved |= holders & self._watched

    def books_changed(self, key: BooksKey) -> None:
        """By a fill, an order's end, or cash."""
        if key in self._watched:
            self._moved.add(key)

    def wait_s(self) -> float | None:
        """Until there is something to check, when nothing else happens; None for never."""
        if self._moved:
            return max(0.0, self._next_check - monotonic())
        return self._margin_calls.wait_s()

    def check(self) -> None:
        """Latch the books whose loss has reached its limit, and see to margin calls.

        In a paced run after each tape entry, so that the same run latches at the same place;
        else at a bounded rate.
        """
        self._moved |= self._margin_calls.take_due()
        if not self._moved:
            return
        if self._market.time_ns is None:
            now = monotonic()
            if now < self._next_check:
                return
            self._next_check = now + CHECK_INTERVAL_S
        moved = sorted(self._moved)
        self._moved.clear()
        for key in moved:
            self._check(key, self._books[key])

    def _check(self, key: BooksKey, books: Books) -> None:
        if books.mode == "live" and self._market.time_ns is not None:
            return  # a replay's prices say nothing of what is held at a broker
        guard = books.risk
        if guard.watches_loss:
            if guard.state.baseline is None:
                self._set_state(key, books, self._reset(guard.state, guard.profit()))
            beyond = guard.loss_beyond_limit()
            if beyond is not None:
                self._latch_loss(key, books, *beyond)
        self._margin_calls.check(key, books)

    def _reset(self, state: RiskState, profit: Decimal) -> RiskState:
        return msgspec.structs.replace(
            state, loss=None, baseline=profit, baseline_at=self._market.now()
        )

    def _latch_loss(self, key: BooksKey, books: Books, bound: Bound, loss: Decimal) -> None:
        latch = Latch(
            at=self._market.now(),
            by=_ACTOR,
            reason="The loss limit was reached.",
            flatten=books.risk.ladder.account.flatten_on_loss,
            limit=shown(bound.limit),
            observed=shown(loss),
            level=bound.level,
        )
        state = msgspec.structs.replace(books.risk.state, loss=latch)
        why = f"The loss limit of {latch.limit} was reached: the loss is {latch.observed}."
        self._act(key, books, state, "loss_limit_latched", why, flatten=latch.flatten)

    # --- commands ----------------------------------------------------------------------------

    def serve(self, key: BooksKey, books: Books, command: RiskCommand) -> Reply:
        refused = None
        match command:
            case EngageKillSwitch():
                self._engage(key, books, command)
            case ReleaseKillSwitch():
                refused = self._release(key, books)
            case AcknowledgeLoss():
                refused = self._acknowledge(key, books)
            case ChangeMargin():
                refused = self._change_margin(key, books, command)
            case SeeRisk():
                pass
        if refused is not None:
            return refusal(command, refused)
        return report(command.request_id, books, self._market.now())

    def _engage(self, key: BooksKey, books: Books, command: EngageKillSwitch) -> None:
        state = books.risk.state
        if state.kill is not None and (state.kill.flatten or not command.flatten):
            return
        latch = Latch(self._market.now(), command.submitted_by, command.reason, command.flatten)
        state = msgspec.structs.replace(state, kill=latch)
        why = f"The account's kill switch was engaged: {command.reason}"
        self._act(key, books, state, "kill_switch_engaged", why, flatten=command.flatten)

    def _release(self, key: BooksKey, books: Books) -> Refused | None:
        state = books.risk.state
        if state.kill is None:
            return Refused("kill_switch_not_engaged", "The account's kill switch is not engaged.")
        self._set_state(key, books, msgspec.structs.replace(state, kill=None))
        self._tell(key, books, "kill_switch_released")
        return None

    def _acknowledge(self, key: BooksKey, books: Books) -> Refused | None:
        state = books.risk.state
        if state.loss is None:
            return Refused("loss_limit_not_latched", "The loss limit has not been reached.")
        self._set_state(key, books, self._reset(state, books.risk.profit()))
        self._tell(key, books, "loss_limit_acknowledged")
        return None

    def _change_margin(self, key: BooksKey, books: Books, command: ChangeMargin) -> Refused | None:
        refused = books.change_margin(command.terms, self._market.now())
        if refused is None:
            self._batch().risk.margin_terms[key[0]] = command.terms
            self._look_for_instruments = True
            self.carry.look_again()
            self._watch(key, books)
        return refused

    # --- acting ------------------------------------------------------------------------------

    def _act(
        self,
        key: BooksKey,
        books: Books,
        state: RiskState,
        event: RiskEventKind,
        why: str,
        *,
        flatten: bool,
    ) -> None:
        """Cancel all orders, close the positions if asked to, pause the strategies.

        Orders that are closing positions already go on doing so, unless others take their place.
        """
        at = self._market.now(books.mode)
        cancelled: Sequence[OrderChanged | BrokerNoted]
        if books.mode == "live":
            cancelled = books.want_cancel(None, None, spare_closing=not flatten)
        else:
            cancelled = books.cancel_all(None, at, spare_closing=not flatten)
        for each in cancelled:
            self._record(key, books, each)
        closing = 0
        not_closed: tuple[str, ...] = ()
        if flatten:
            state = msgspec.structs.replace(state, flattened=state.flattened + 1)
            closing, not_closed = self._flatten(key, books, state.flattened, at)
        self._set_state(key, books, state)
        self._pause(key, why)
        self._tell(key, books, event, len(cancelled), closing, not_closed)

    def _pause(self, key: BooksKey, why: str) -> None:
        """The running strategies."""
        self._batch().risk.pauses[key] = why

    def _flatten(
        self, key: BooksKey, books: Books, number: int, at: datetime
    ) -> tuple[int, tuple[str, ...]]:
        """How many orders close positions now, and which positions they leave, or a part of."""
        command = ClosePositions(
            request_id="",
            reply_to="",
            account_id=AccountId(key[0]),
            mode=key[1],
            # No client can choose such a name: theirs have no spaces.
            client_order_id=f"risk close {number}",
            submitted_by=_ACTOR,
        )
        closing, not_closed = 0, []
        held = sorted(symbol for symbol, holding in books.holdings.items() if holding.qty)
        for symbol in held:
            instrument, _ = self._instruments.get(symbol, (None, 0.0))
            price = self._market.price_of(symbol)
            # At a broker, what working sells are for is theirs until they have ended.
            free = books.free_qty(symbol) if books.mode == "live" else ZERO
            part = free if 0 < free < books.holdings[symbol].qty else None
            asked = msgspec.structs.replace(command, qty=part)
            closed = books.close(symbol, asked, instrument, price, at, self._tape_id())
            if isinstance(closed, Refused):
                not_closed.append(str(symbol))
                continue
            for each in closed:
                self._record(key, books, each)
            rejected = closed[-1].order.status == "rejected"
            closing += not rejected
            if rejected or part is not None:
                not_closed.append(str(symbol))
        return closing, tuple(not_closed)

    def _set_state(self, key: BooksKey, books: Books, state: RiskState) -> None:
        books.risk.state = state
        self._batch().risk.states[key] = RiskRecord(key[0], key[1], state)
        self._watch(key, books)

    def _tell(
        self,
        key: BooksKey,
        books: Books,
        event: RiskEventKind,
        cancelled: int = 0,
        closing: int = 0,
        not_closed: tuple[str, ...] = (),
    ) -> None:
        state = books.risk.state
        account_id = AccountId(key[0])
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
        )
        self._batch().tell(account_id, key[1], "risk", changed)
        if event in _BY_ITSELF:
            self._batch().risk.audit.append(record_of_event(changed, _ACTOR))


def _at_stake(books: Books) -> set[Symbol]:
    held = {symbol for symbol, holding in books.holdings.items() if holding.qty}
    return held | {each.order.symbol for each in books.working.values()}
