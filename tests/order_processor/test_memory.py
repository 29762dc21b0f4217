"""What a shard looks up before it applies commands."""

from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from order_processor.shards.clock import wall_clock
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.market import Market
from order_processor.shards.memory import Memory
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import LastSeen, Lookup, Unknowns
from shared.calendars import Calendars
from shared.models.identifiers import AccountId
from shared.models.orders import CancelOrders
from shared.trading.books import Books, BooksState
from shared.trading.paper_terms import FREE
from shared.trading.terms import AccountTerms, Limits

LIMITS = Limits(reserve_buffer_bps=Decimal(100))
NOTHING = Lookup(
    books=[],
    accounts=[],
    orders=[],
    instruments=[],
    entries={},
    deployments={},
    owners={},
    conversions={},
)


class Shard:
    """Accounts with paper books, and a clock that is set by hand."""

    def __init__(self, folder: Path, accounts: int) -> None:
        self.now_s = 100.0
        sessions = Sessions(Calendars(folder))
        market = Market(wall_clock, sessions, LastSeen(), None)
        self.memory = Memory(0, 1, market, sessions, clock=lambda: self.now_s)
        self.accounts = [uuid4() for _ in range(accounts)]
        for account in self.accounts:
            books = Books(self.terms(account), "paper", LIMITS, BooksState())
            self.memory.take_up((account, "paper"), books)

    def terms(self, account: UUID, status: str = "active") -> AccountTerms:
        return AccountTerms(
            id=account, status=status, base_currency="USD", paper_capital=Decimal(1), paper=FREE
        )

    def asks(self, *accounts: UUID) -> Unknowns:
        commands = [
            CancelOrders(
                request_id=uuid4().hex,
                reply_to="replies:x",
                account_id=AccountId(account),
                mode="paper",
                submitted_by="user:x",
            )
            for account in accounts
        ]
        return self.memory.unknown_to([CommandEntry("1-0", each, "0-0") for each in commands])

    def learns(self, asked: Unknowns, status: str = "active") -> None:
        found = [self.terms(account, status) for account in asked.accounts]
        self.memory.learn(asked, msgspec.structs.replace(NOTHING, accounts=found))


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return Shard(tmp_path, accounts=4)


def test_terms_older_than_a_second_are_read_again_with_those_that_were_asked_for_since(
    shard: Shard,
) -> None:
    one, two, three, quiet = shard.accounts
    shard.now_s += 0.9
    assert not shard.asks(one, two, three)
    shard.now_s += 0.2
    asked = shard.asks(one)
    assert asked.accounts == {one, two, three}
    shard.learns(asked)
    assert not shard.asks(one, two, three)
    assert shard.asks(quiet).accounts == {quiet}


def test_terms_just_read_are_not_read_again_with_the_others(shard: Shard) -> None:
    one, two, _, _ = shard.accounts
    shard.now_s += 1.1
    shard.learns(shard.asks(one))
    shard.now_s += 0.3
    assert not shard.asks(one)
    assert shard.asks(two).accounts == {two}


def test_terms_that_were_read_again_are_those_of_the_books(shard: Shard) -> None:
    one, two, _, _ = shard.accounts
    shard.now_s += 1.1
    asked = shard.asks(one)
    shard.learns(asked, status="closed")
    assert shard.memory.books[one, "paper"].account.status == "closed"
    assert shard.memory.books[two, "paper"].account.status == "active"
    assert shard.memory.books[one, "paper"].account == msgspec.structs.replace(
        shard.terms(one), status="closed"
    )
