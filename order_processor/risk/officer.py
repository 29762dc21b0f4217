"""Acts for the risk ladder in one shard: latches, cancels, closes, and lets go again. No I/O.

What it does is part of the desk's batch, so latch, cancelled orders, closing orders, paused
strategies and the event become durable together, or not at all.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from uuid import UUID

import msgspec

from order_processor.risk.carry import Carry
from order_processor.risk.loss_limits import LossLimits, SessionDays
from order_processor.risk.margin_calls import MarginCalls, MarginRules
from order_processor.risk.measures import Measures, Record
from order_processor.risk.reports import report
from order_processor.risk.rules import Rules
from order_processor.shards.batch import Batch
from order_processor.shards.market import Market
from order_processor.shards.replies import refusal
from order_processor.shards.state import BooksKey
from shared.models.identifiers import Symbol
from shared.models.orders import Reply
from shared.models.risk import (
    AcknowledgeLoss,
    ChangeMargin,
    EngageKillSwitch,
    FollowLimits,
    Latch,
    LimitsFollowed,
    ReleaseKillSwitch,
    RiskCommand,
    SeeRisk,
)
from shared.trading.books import Books
from shared.trading.losses import watched
from shared.trading.terms import Instrument, Refused

#: Where the wall clock is the time, losses are looked at so often at most.
CHECK_INTERVAL_S = 0.05


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
        days: SessionDays,
    ) -> None:
        self._books = books
        self._market = market
        self._instruments = instruments
        self._batch = batch
        self._halt_done = halt_done
        self._rules = Rules()
        #: Books whose losses are limited, and those of them whose prices have moved.
        self._watched: set[BooksKey] = set()
        self._moved: set[BooksKey] = set()
        self._next_check = 0.0
        self._look_for_instruments = False
        measures = self._measures = Measures(
            market, instruments, record, batch, tape_id, self._watch
        )
        self._margin_calls = MarginCalls(
            margin_rules,
            market,
            instruments,
            tape_id,
            record,
            measures.set_state,
            measures.tell,
            measures.pause,
        )
        self._losses = LossLimits(books, market, days, run_id, measures)
        self._carry = Carry(books, market, instruments, run_id, record, measures.set_state)

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
        self._carry.look_again()
        self._watch(key, books)

    def _watch(self, key: BooksKey, books: Books) -> None:
        self._margin_calls.watch(key, books)
        self._losses.watch(key, books)
        if watched(books.risk) or books.margin.terms is not None:
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
            or (watched(books.risk) and _may_flatten(books))
            for symbol in _at_stake(books)
            if symbol not in self._instruments
        }

    def unprepared_exchanges(self) -> set[str]:
        """Whose calendar says when sessions begin, when a loss limit asks for it."""
        return {self._losses.exchange} if self._losses.needs_calendar else set()

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
            self._measures.act(
                key, books, books.risk.state, "platform_halted", why, flatten=halt.flatten
            )
        self._halt_done = halt.number
        self._batch().risk.halt_done = halt.number

    # --- time ---------------------------------------------------------------------------------

    def come_to(self, at_ns: int) -> None:
        """Market time has come to `at_ns`, and nothing that happens then was applied yet. Where the
        clock is the time, it says how late it is."""
        self._carry.come_to(at_ns)
        self._losses.come_to(at_ns)

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
        if watched(books.risk):
            self._losses.check(key, books)
        self._margin_calls.check(key, books)

    # --- commands ----------------------------------------------------------------------------

    def serve(self, key: BooksKey, books: Books, command: RiskCommand) -> Reply:
        refused = None
        match command:
            case EngageKillSwitch():
                self._engage(key, books, command)
            case ReleaseKillSwitch():
                refused = self._release(key, books)
            case AcknowledgeLoss(deployment_id=None):
                refused = self._losses.acknowledge(key, books)
            case AcknowledgeLoss(deployment_id=UUID() as deployment_id):
                refused = self._losses.acknowledge_deployment(key, books, deployment_id)
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
        self._measures.act(key, books, state, "kill_switch_engaged", why, flatten=command.flatten)

    def _release(self, key: BooksKey, books: Books) -> Refused | None:
        state = books.risk.state
        if state.kill is None:
            return Refused("kill_switch_not_engaged", "The account's kill switch is not engaged.")
        self._measures.set_state(key, books, msgspec.structs.replace(state, kill=None))
        self._measures.tell(key, books, "kill_switch_released")
        return None

    def _change_margin(self, key: BooksKey, books: Books, command: ChangeMargin) -> Refused | None:
        refused = books.change_margin(command.terms, self._market.now())
        if refused is None:
            self._batch().risk.margin_terms[key[0]] = command.terms
            self._look_for_instruments = True
            self._carry.look_again()
            self._watch(key, books)
        return refused


def _at_stake(books: Books) -> set[Symbol]:
    held = {symbol for symbol, holding in books.holdings.items() if holding.qty}
    return held | {each.order.symbol for each in books.working.values()}


def _may_flatten(books: Books) -> bool:
    ladder = books.risk.ladder
    return ladder.account.flatten_on_loss or any(
        ladder.deployments[each].flatten_on_loss for each in ladder.losses
    )
