"""Splits and dividends on the books of a shard, run after run. Without a database."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from order_processor.corporate_actions.faults import ActionFaults, Attempt
from order_processor.corporate_actions.late import HeldThen
from order_processor.corporate_actions.records import FailureRecord, LookRecord, Seen
from order_processor.corporate_actions.repository import Known
from order_processor.corporate_actions.steward import Steward
from order_processor.shards.batch import Batch
from order_processor.shards.clock import nanoseconds
from order_processor.shards.desk import Desk
from order_processor.shards.fx import RateHistory
from order_processor.shards.market import Market
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import (
    BooksKey,
    Cursors,
    LastPrice,
    LastSeen,
    StoredBooks,
    StoredShard,
)
from shared.calendars import Calendars
from shared.models.identifiers import AccountId
from shared.models.margin import MarginTerms
from shared.trading.books import Books, BooksState
from shared.trading.changes import AnyChange
from shared.trading.corporate_actions import CorporateAction, Dividend, Split
from shared.trading.margin_calls import MarginRules
from shared.trading.positions import Holding
from shared.trading.terms import Limits
from tests.shared.trading.support import ACCOUNT, SPY, T0, command, open_books, submit, terms

D = Decimal
EX = T0 + timedelta(days=1)
KEY: BooksKey = (ACCOUNT, "paper")


def action(terms: Split | Dividend, number: int, days: int = 0) -> CorporateAction:
    at = EX + timedelta(days=days)
    return CorporateAction(UUID(int=number), SPY.symbol, terms, at, SPY.tick_size, SPY.lot_size)


SPLIT = action(Split(2, 1), 1)
DIVIDEND = action(Dividend(D("0.5")), 2)
LATER_DIVIDEND = action(Dividend(D("0.5")), 3, days=1)


def again(action: CorporateAction) -> CorporateAction:
    return msgspec.structs.replace(action, retries=action.retries + 1)


class Shard:
    """With one set of books, which holds 10 shares."""

    def __init__(self, calendar_folder: Path) -> None:
        self.wall = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
        self.market = Market(
            lambda: self.wall, Sessions(Calendars(calendar_folder)), LastSeen(), nanoseconds(T0)
        )
        self.faults = ActionFaults(0)
        self.batch = Batch(0, {})
        self.held: dict[BooksKey, Books] = {}
        self.books = open_books()
        self.steward = self._steward([])
        self.take_up(KEY, self.books)
        self.revision = 0

    def _steward(self, looks: Iterable[LookRecord]) -> Steward:
        return Steward(
            self.held,
            self.market,
            lambda: self.wall,
            lambda _, books, change: self._record(books, change),
            lambda: self.batch,
            self.faults,
            looks,
        )

    def _record(self, books: Books, change: AnyChange) -> None:
        self.batch.record(books, change, "1-0")

    def take_up(self, key: BooksKey, books: Books) -> None:
        submit(books, command("buy", "10"))
        list(books.meet_print(SPY.symbol, D(100), T0))
        self.held[key] = books
        self.steward.take_up(key, Seen())

    def know(self, *actions: CorporateAction) -> None:
        self.revision += 1
        self.steward.take(Known(self.revision, {each.id: each for each in actions}))

    def fail(self, action: CorporateAction) -> None:
        for _ in range(2):
            attempt = Attempt(*KEY, action.id, action.retries)
            self.faults.add([attempt], "It fails.")

    def begin_run(self) -> None:
        list(self.market.begin_run(paced=True))
        self.steward.begin_run()

    def come_to(self, at: datetime) -> None:
        self.steward.come_to(nanoseconds(at))
        self.market.time_ns = nanoseconds(at)

    @property
    def effects(self) -> list[UUID]:
        return [each.action_id for each in self.batch.effects]

    @property
    def failures(self) -> list[tuple[UUID, str]]:
        return [(each.action_id, each.code) for each in self.batch.actions.failures]


@pytest.fixture
def shard(calendar_folder: Path) -> Shard:
    return Shard(calendar_folder)


def test_after_a_failed_split_nothing_later_comes_to_the_old_shares_until_it_was_tried_again(
    shard: Shard,
) -> None:
    later_split = action(Split(3, 1), 4, days=2)
    shard.fail(SPLIT)
    shard.know(SPLIT, DIVIDEND, LATER_DIVIDEND, later_split)
    shard.come_to(T0)
    shard.come_to(EX + timedelta(days=3))
    # That of the same day comes before the split, on the old shares.
    assert shard.effects == [DIVIDEND.id]
    assert shard.failures == [
        (SPLIT.id, "internal_error"),
        (LATER_DIVIDEND.id, "earlier_split_failed"),
        (later_split.id, "earlier_split_failed"),
    ]
    shard.batch = Batch(0, {})
    # In the wrong order it fails again.
    shard.know(SPLIT, DIVIDEND, again(LATER_DIVIDEND), later_split)
    assert (shard.effects, shard.failures) == ([], [(LATER_DIVIDEND.id, "earlier_split_failed")])
    shard.batch = Batch(0, {})
    shard.know(again(SPLIT), DIVIDEND, again(again(LATER_DIVIDEND)), later_split)
    assert shard.effects == [SPLIT.id]
    shard.batch = Batch(0, {})
    shard.come_to(EX + timedelta(days=3))
    assert shard.effects == [LATER_DIVIDEND.id]
    assert shard.books.cash == D(10_000) - 1_000 + 5 + 10
    assert shard.books.risk.stopped == {SPY.symbol}
    shard.batch = Batch(0, {})
    shard.know(again(SPLIT), DIVIDEND, again(again(LATER_DIVIDEND)), again(later_split))
    assert shard.books.holdings[SPY.symbol].qty == 60
    assert shard.books.risk.stopped == frozenset()


def test_a_cancelled_split_that_failed_holds_up_no_later_dividend(shard: Shard) -> None:
    shard.fail(SPLIT)
    shard.know(SPLIT)
    shard.come_to(T0)
    shard.come_to(EX)
    shard.know(msgspec.structs.replace(SPLIT, cancelled=True), LATER_DIVIDEND)
    shard.come_to(EX + timedelta(days=1))
    assert shard.effects == [LATER_DIVIDEND.id]


def test_a_split_pauses_what_was_deployed_since_in_every_run_that_comes_to_it(shard: Shard) -> None:
    shard.know(SPLIT)
    shard.come_to(T0)
    shard.come_to(EX)
    first = shard.wall
    assert [each.before for each in shard.batch.actions.outdated] == [first]
    shard.batch = Batch(0, {})
    shard.come_to(EX + timedelta(days=1))
    assert not shard.batch.actions
    shard.wall += timedelta(hours=1)
    shard.begin_run()
    shard.come_to(T0)
    # Its time hasn't come in this run: deployments of since the last one trade.
    assert not shard.batch.actions
    assert shard.steward.outdated_before == {SPY.symbol: first}
    shard.come_to(EX)
    assert [each.before for each in shard.batch.actions.outdated] == [shard.wall]
    assert shard.batch.actions.looks == [LookRecord(SPLIT.id, 0, shard.wall)]
    assert shard.steward.outdated_before == {SPY.symbol: shard.wall}
    assert shard.effects == []
    # More of the same run, and one that begins after it, say nothing new.
    shard.batch = Batch(0, {})
    shard.come_to(EX + timedelta(days=1))
    shard.begin_run()
    shard.come_to(EX + timedelta(days=1))
    assert shard.steward.late() is None
    assert not shard.batch.actions


def test_a_retried_dividend_is_paid_on_what_was_held_then_where_books_have_traded_since(
    shard: Shard,
) -> None:
    shard.fail(DIVIDEND)
    shard.know(DIVIDEND)
    shard.come_to(T0)
    shard.come_to(EX)
    assert (shard.failures, shard.steward.late()) == ([(DIVIDEND.id, "internal_error")], None)
    submit(shard.books, command("buy", "7", name="b"))
    list(shard.books.meet_print(SPY.symbol, D(100), EX + timedelta(hours=1)))
    shard.batch = Batch(0, {})
    shard.know(again(DIVIDEND))
    assert shard.steward.late() == again(DIVIDEND)
    assert shard.effects == []
    held = HeldThen(*KEY, execution_seq=1, qty=D(10), unclear=False)
    shard.steward.take_late(again(DIVIDEND), [held])
    assert [(each.qty_before, each.execution_seq) for each in shard.batch.effects] == [(D(10), 1)]
    assert shard.books.cash == D(10_000) - 1_700 + 5
    assert shard.steward.late() is None


def test_a_retry_ends_where_a_split_had_failed_on_orders_alone(shard: Shard) -> None:
    submit(shard.books, command("sell", "10", name="b"))
    list(shard.books.meet_print(SPY.symbol, D(100), T0))
    submit(shard.books, command("buy", "1", "1", name="c"))
    shard.fail(SPLIT)
    shard.know(SPLIT)
    shard.come_to(T0)
    shard.come_to(EX)
    # They were cancelled.
    assert not shard.books.working
    assert shard.books.risk.stopped
    shard.batch = Batch(0, {})
    shard.know(again(SPLIT))
    assert shard.steward.late() == again(SPLIT)
    shard.steward.take_late(again(SPLIT), [])
    assert shard.effects == [SPLIT.id]
    assert not shard.books.risk.stopped
    assert shard.steward.late() is None


def test_a_split_that_is_retried_moves_the_price_when_it_has_come_to_all_books(
    shard: Shard,
) -> None:
    other = AccountId(UUID(int=2))
    shard.take_up((other, "paper"), open_books(msgspec.structs.replace(terms(), id=other)))
    for account in (ACCOUNT, other):
        failed = FailureRecord(account, "paper", SPLIT.id, 0, "internal_error", "It failed.")
        shard.steward.take_up((account, "paper"), Seen(failed={SPLIT.id: failed}))
    shard.market.last_seen.prices[SPY.symbol] = LastPrice(100.0, nanoseconds(T0), "1-0")
    shard.know(again(SPLIT))
    shard.come_to(EX)
    assert (len(shard.effects), shard.market.price_of(SPY.symbol)) == (1, D(100))
    shard.batch = Batch(0, {})
    shard.come_to(EX)
    assert (len(shard.effects), shard.market.price_of(SPY.symbol)) == (1, D(50))


def test_a_split_that_was_cancelled_before_it_came_to_any_books_outdates_nothing(
    shard: Shard,
) -> None:
    shard.fail(SPLIT)
    shard.know(SPLIT)
    shard.come_to(T0)
    shard.come_to(EX)
    assert SPY.symbol in shard.steward.outdated_before
    shard.know(msgspec.structs.replace(SPLIT, cancelled=True, void=True))
    assert not shard.steward.outdated_before


def test_after_a_failed_split_the_old_shares_count_at_cost(calendar_folder: Path) -> None:
    failed = FailureRecord(*KEY, SPLIT.id, 0, "internal_error", "It failed.")
    holding = Holding(SPY.symbol, qty=D(10), cost=D(1000))
    account = msgspec.structs.replace(terms(), margin=MarginTerms())
    state = BooksState(cash=D(9000), holdings=[holding])
    books = StoredBooks(account, "paper", state, {}, actions=Seen(failed={SPLIT.id: failed}))
    after = LastPrice(50.0, nanoseconds(EX), "1-0")
    desk = Desk(
        0,
        1,
        StoredShard(Cursors(), LastSeen({SPY.symbol: after}), [books]),
        wall=lambda: EX,
        limits=Limits(),
        sessions=Sessions(Calendars(calendar_folder)),
        margin_rules=MarginRules(),
        action_faults=ActionFaults(0),
        rates=RateHistory(),
    )
    assert desk.equity_of(KEY).equity == 9_500
    desk.corporate.take(Known(1, {SPLIT.id: SPLIT}))
    marked = desk.equity_of(KEY)
    assert (marked.equity, marked.prices) == (D(10_000), {})
    assert marked.margin is not None
    assert marked.margin.equity == 10_000
