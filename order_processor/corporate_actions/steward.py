"""Carries out splits and dividends when market time comes to their session. No I/O.

What it does is part of the desk's batch, and so is the row that says that it was done: each set of
books sees an action once, whatever dies when. One that fails on some books is set aside there, and
the shard goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from order_processor.corporate_actions.faults import ActionFaults, Attempt
from order_processor.corporate_actions.late import HeldThen
from order_processor.corporate_actions.records import FailureRecord, LookRecord, Outdated, Seen
from order_processor.corporate_actions.repository import Known
from order_processor.errors import ActionFaultError
from order_processor.shards.batch import Batch
from order_processor.shards.clock import WallClock, nanoseconds
from order_processor.shards.market import Market
from order_processor.shards.state import BooksKey
from shared.models.identifiers import Symbol
from shared.trading.amounts import ZERO
from shared.trading.books import Books
from shared.trading.changes import AnyChange
from shared.trading.corporate_actions import CorporateAction, Split
from shared.trading.terms import Refused

_NEVER_NS = 1 << 63
_TRADED_SINCE = Refused(
    "traded_since", "The position has changed since, and nobody knows which of its shares are old."
)
_UNCLEAR = Refused("held_unclear", "Market time has gone back since: what was held is unclear.")
_EARLIER = Refused("earlier_split_failed", "The position is in shares of before an earlier split.")

Record = Callable[[BooksKey, Books, AnyChange], None]


class Steward:
    def __init__(
        self,
        books: Mapping[BooksKey, Books],
        market: Market,
        wall: WallClock,
        record: Record,
        batch: Callable[[], Batch],
        faults: ActionFaults,
        looks: Iterable[LookRecord],
    ) -> None:
        self._books = books
        self._market = market
        self._wall = wall
        self._record = record
        self._batch = batch
        self._faults = faults
        #: Those that all books here have seen, as what attempt.
        self._looks = {each.action_id: each for each in looks}
        self._known = Known()
        self._actions: list[CorporateAction] = []
        self._seen: dict[BooksKey, Seen] = {}
        #: Known in this run before their time came: all that they concern are in memory then.
        self._awaited: set[UUID] = set()
        #: When the next action is due that was not looked at in this run.
        self._next_ns = _NEVER_NS
        #: Of each symbol that was split: deployments of before count in old shares.
        self.outdated_before: dict[Symbol, datetime] = {}

    def take(self, known: Known) -> None:
        if known is not self._known:
            self._known = known
            # A dividend before a split of the same day: it is paid on the old shares.
            self._actions = sorted(known.actions.values(), key=_turn)
            self.outdated_before.clear()
            for action in self._actions:
                if action.id in self._looks and not action.void:
                    self._note_outdated(action, self._looks[action.id].outdated_before)
            for key in self._books:
                self._stop_symbols(key)
            self._look_again()
        if self._next_ns == 0 and self._market.time_ns:  # else the clock is looked at
            self.come_to(self._market.time_ns)

    def take_up(self, key: BooksKey, seen: Seen) -> None:
        self._seen[key] = seen
        self._stop_symbols(key)

    def begin_run(self) -> None:
        self._awaited.clear()
        self._look_again()

    def _look_again(self) -> None:
        """Another run begins, or there are other actions than before."""
        self._next_ns = 0 if self._actions else _NEVER_NS

    def come_to(self, at_ns: int) -> None:
        """Market time has come to `at_ns`, and nothing that happens then was applied yet."""
        if at_ns < self._next_ns:
            return
        self._next_ns = _NEVER_NS
        for action in self._actions:
            if action.cancelled:
                continue
            effective_ns = nanoseconds(action.effective_at)
            if effective_ns > at_ns:
                self._awaited.add(action.id)
                self._next_ns = min(self._next_ns, effective_ns)
                continue
            if not self._carry_out(action, effective_ns):
                self._next_ns = 0
                return
            if action.id in self._awaited:
                self._awaited.remove(action.id)
                self._cross(action)

    def wait_s(self) -> float | None:
        """Until the clock brings an action, where it is the time; None for never."""
        if self._market.time_ns is not None or self._next_ns == _NEVER_NS:
            return None
        return max(0.0, (self._next_ns - nanoseconds(self._market.now())) / 1e9)

    # --- announced too late ------------------------------------------------------------------

    def late(self) -> CorporateAction | None:
        """One whose time was past when this shard heard of it, and that must be looked up: what
        was held then is not in memory. All that was applied must be committed first."""
        if self._market.time_ns == 0 or self._next_ns == 0:
            return None
        for action in self._actions:
            if action.cancelled or not self._unlooked(action) or action.id in self._awaited:
                continue
            if action.effective_at <= self._market.now():
                return action
        return None

    def take_late(self, action: CorporateAction, held: Iterable[HeldThen]) -> None:
        """Their books are in memory. `late` does not name it again."""
        for then in held:
            key = (then.account_id, then.mode)
            if key not in self._books or not self._is_due(key, action):
                continue
            if then.unclear:
                self._fail(key, action, _UNCLEAR)
            elif isinstance(action.terms, Split):
                self._fail(key, action, _TRADED_SINCE)
            else:
                self._carry_out_on(key, action, then=then)
        for key in sorted(self._books):
            if self._is_due(key, action) and action.id in self._seen[key].failed:
                self._end_empty(key, action)
        self._look(action, action.retries, crossed=action.id not in self._looks)

    def _end_empty(self, key: BooksKey, action: CorporateAction) -> None:
        """It had failed on orders that work no more: nothing is left that it concerns."""
        holding = self._books[key].holdings.get(action.symbol)
        if isinstance(action.terms, Split) and holding is not None and holding.qty:
            self._fail(key, action, _TRADED_SINCE)
        else:
            nothing = HeldThen(*key, execution_seq=0, qty=ZERO, unclear=False)
            self._carry_out_on(key, action, then=nothing)

    # --- on one set of books -----------------------------------------------------------------

    def _carry_out(self, action: CorporateAction, effective_ns: int) -> bool:
        """False when something of it has to wait for the next batch."""
        done = True
        for key in sorted(self._books):
            if not self._is_due(key, action):
                continue
            batch = self._batch()
            if action.id in self._seen[key].failed and (batch.effects or batch.actions.failures):
                done = False  # one by one, so that it is clear which of them can't be stored
            else:
                self._carry_out_on(key, action)
        if done and isinstance(action.terms, Split):
            # Not before: what is less than a unit is paid for at the price of before.
            self._market.split_price(action.symbol, action.terms, effective_ns)
        return done

    def _is_due(self, key: BooksKey, action: CorporateAction) -> bool:
        seen = self._seen[key]
        failed = seen.failed.get(action.id)
        tried = failed is not None and failed.attempt >= action.retries
        return self._books[key].mode == "paper" and not (action.id in seen.done or tried)

    def _carry_out_on(
        self, key: BooksKey, action: CorporateAction, then: HeldThen | None = None
    ) -> None:
        books, attempt = self._books[key], _attempt(key, action)
        why = self._faults.reason(attempt)
        if why is not None:
            self._fail(key, action, Refused("internal_error", why))
            return
        try:
            if then is None and not books.corporate.concerned_by(action):
                return
            held_up = any(_turn(each) < _turn(action) for each in self._failed_splits(key, action))
            obstacle = _EARLIER if held_up else books.corporate.obstacle_to(action)
            if obstacle is not None:
                self._fail(key, action, obstacle)
                return
            if then is None or isinstance(action.terms, Split):
                last = self._market.price_before(action.symbol, nanoseconds(action.effective_at))
                changes = books.corporate.carry_out(action, last)
            else:
                changes = books.corporate.pay_late(
                    action, then.qty, then.execution_seq, self._market.now()
                )
            for change in changes:
                self._record(key, books, change)
        except Exception as error:
            raise ActionFaultError([attempt], repr(error)) from error
        self._seen[key].done.add(action.id)
        self._stop_symbols(key)

    def _fail(self, key: BooksKey, action: CorporateAction, why: Refused) -> None:
        """Set it aside. After a split that could not be carried out nothing is traded here."""
        record = FailureRecord(*key, action.id, action.retries, why.code, why.message)
        self._seen[key].failed[action.id] = record
        self._batch().actions.failures.append(record)
        self._stop_symbols(key)
        if action.symbol in self._books[key].risk.stopped:
            for change in self._books[key].cancel_all(action.symbol, self._market.now()):
                self._record(key, self._books[key], change)

    def _stop_symbols(self, key: BooksKey) -> None:
        """Whose split could not be carried out: the position is in old shares."""
        self._books[key].risk.stopped = frozenset(
            action.symbol for action in self._failed_splits(key)
        )

    def _failed_splits(
        self, key: BooksKey, but: CorporateAction | None = None
    ) -> Iterator[CorporateAction]:
        """After which the books are still in old shares; of `but`'s symbol, other than it."""
        seen, known = self._seen[key], self._known.actions
        for action_id, failed in seen.failed.items():
            action = known.get(action_id)
            if (
                action is not None
                and isinstance(action.terms, Split)
                and failed.code not in (_TRADED_SINCE.code, _UNCLEAR.code)
                and not (action.cancelled or action_id in seen.done)
                and (but is None or (action.symbol == but.symbol and action_id != but.id))
            ):
                yield action

    # --- on all of them ----------------------------------------------------------------------

    def _unlooked(self, action: CorporateAction) -> bool:
        look = self._looks.get(action.id)
        return look is None or look.attempt < action.retries

    def _cross(self, action: CorporateAction) -> None:
        """Market time has come to it in this run. Deployments of since an earlier run haven't seen
        it."""
        known = self._looks.get(action.id)
        if known is None:
            # Where it is tried again, `late` looks up the books that have traded since it failed.
            self._look(action, max(0, action.retries - 1))
        elif isinstance(action.terms, Split):
            self._look(action, known.attempt)

    def _look(self, action: CorporateAction, attempt: int, *, crossed: bool = True) -> None:
        known, now = self._looks.get(action.id), self._market.now()
        # Where the clock is the time, what was deployed after the split knows no other shares.
        before = action.effective_at if self._market.time_ns is None else self._wall()
        if known is not None:
            before = max(before, known.outdated_before) if crossed else known.outdated_before
        look = LookRecord(action.id, attempt, before)
        self._looks[action.id] = look
        batch = self._batch().actions
        batch.looks.append(look)
        if crossed and isinstance(action.terms, Split):
            self._note_outdated(action, before)
            why = _why(action, action.terms, now)
            batch.outdated.append(Outdated(action.id, action.symbol, before, why))

    def _note_outdated(self, action: CorporateAction, before: datetime) -> None:
        if isinstance(action.terms, Split):
            other = self.outdated_before.get(action.symbol, before)
            self.outdated_before[action.symbol] = max(before, other)


def _attempt(key: BooksKey, action: CorporateAction) -> Attempt:
    return Attempt(*key, action.id, action.retries)


def _turn(action: CorporateAction) -> tuple[datetime, bool]:
    return action.effective_at, isinstance(action.terms, Split)


def _why(action: CorporateAction, split: Split, at: datetime) -> str:
    return (
        f"{action.symbol} was split {split.new} for {split.old} on {at.date()}: strategies of "
        "before count in old shares. Stop it and deploy it anew."
    )
