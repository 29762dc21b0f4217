"""What a deployment holds is what it bought itself, and never more than the account has left."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import (
    CorporateActionEffectRow,
    CorporateActionRow,
    ExecutionRow,
    OrderRow,
    PositionConversionRow,
)
from shared.models.orders import Side
from shared.trading.paper_terms import FREE, paper_terms_document
from strategy_workers.runtime.account_books import (
    Working,
    read_all_books,
    read_books,
    working_orders,
)
from strategy_workers.runtime.holdings import NOTHING, Holding, after_own, left_of

D = Decimal
OURS, THEIRS = UUID(int=1), UUID(int=2)
_AT = datetime(2026, 1, 5, tzinfo=UTC)


def test_buys_are_averaged_and_sales_leave_the_average_as_it_is() -> None:
    held = after_own(NOTHING, "buy", D(10), D(100))
    held = after_own(held, "buy", D(5), D(130))
    assert held == Holding(D(15), D(110))
    assert after_own(held, "sell", D(12), D(200)) == Holding(D(3), D(110))


def test_an_average_has_no_more_decimals_than_the_books() -> None:
    held = after_own(after_own(NOTHING, "buy", D(1), D(1)), "buy", D(2), D(2))
    assert held.avg_price == D("1.666666666667")


def test_the_own_part_shrinks_with_what_the_account_has_left() -> None:
    held = Holding(D(10), D(100))
    assert left_of(held, D(25)) == held
    assert left_of(held, D(4)) == Holding(D(4), D(100))
    assert left_of(held, D(0)) == NOTHING


def test_a_deployment_that_sold_what_others_held_has_nothing() -> None:
    assert left_of(after_own(Holding(D(2), D(1)), "sell", D(5), D(1)), D(3)) == NOTHING


class Books:
    def __init__(self, session: Session, account: UUID) -> None:
        self._session = session
        self._account = account
        self._seq = 0
        self._orders = 0
        self._commits = 0

    def execute(
        self, side: Side, qty: int, price: int, by: UUID | None, symbol: str = "SPY"
    ) -> None:
        self._seq += 1
        order_id = self.order(side, qty, by, symbol, filled_at=price)
        self._session.add(
            ExecutionRow(
                id=uuid4(),
                order_id=order_id,
                account_id=self._account,
                mode="paper",
                deployment_id=by,
                symbol=symbol,
                side=side,
                qty=D(qty),
                price=D(price),
                fee=D(0),
                realized_pnl=D(0),
                seq=self._seq,
                at=_AT,
            )
        )
        self._session.flush()

    def order(
        self,
        side: Side,
        qty: int,
        by: UUID | None,
        symbol: str = "SPY",
        filled_at: int | None = None,
        stop: int | None = None,
    ) -> UUID:
        self._orders += 1
        order_id = uuid4()
        self._session.add(
            OrderRow(
                id=order_id,
                account_id=self._account,
                mode="paper",
                client_order_id=str(order_id),
                submitted_by="user:test",
                deployment_id=by,
                symbol=symbol,
                side=side,
                type="market" if stop is None else "stop",
                stop_price=None if stop is None else D(stop),
                time_in_force="gtc",
                qty=D(qty),
                status="accepted" if filled_at is None else "filled",
                filled_qty=D(0) if filled_at is None else D(qty),
                filled_avg_price=None if filled_at is None else D(filled_at),
                reserved=D(0),
                tape_id="",
                paper_terms=paper_terms_document(FREE),
                seq=self._orders,
                submitted_at=_AT,
                updated_at=_AT,
            )
        )
        self._session.flush()
        return order_id

    def split(self, before: int, after: int) -> None:
        """Stored later than all before it, as commits of their own are."""
        action = CorporateActionRow(
            id=uuid4(),
            symbol="SPY",
            kind="split",
            ratio_new=after,
            ratio_old=before,
            ex_date=_AT.date() + timedelta(days=self._seq),
            effective_at=_AT,
            announced_by="user:test",
        )
        self._session.add(action)
        self._session.flush()
        self._session.add(
            CorporateActionEffectRow(
                account_id=self._account,
                mode="paper",
                action_id=action.id,
                execution_seq=self._seq,
                unit=D(1),
                qty_before=D(before),
                qty_after=D(after),
                realized_pnl=D(0),
                price=D(10),
                lots_cost_removed=D(0),
                recorded_at=self._stored(),
            )
        )
        self._session.flush()

    def convert(self, qty: int, cost: int, giver: UUID | None, taker: UUID | None) -> None:
        self._session.add(
            PositionConversionRow(
                account_id=self._account,
                mode="paper",
                client_conversion_id=str(uuid4()),
                symbol="SPY",
                from_deployment_id=giver,
                to_deployment_id=taker,
                qty=D(qty),
                cost=D(cost),
                execution_seq=self._seq,
                at=_AT,
                submitted_by="user:test",
                recorded_at=self._stored(),
            )
        )
        self._session.flush()

    def _stored(self) -> datetime:
        self._commits += 1
        return _AT + timedelta(seconds=self._commits)


def test_from_the_books_it_is_what_the_executions_one_by_one_would_have_made(
    engine: Engine, account: UUID
) -> None:
    with Session(engine) as session:
        books = Books(session, account)
        books.execute("buy", 7, 90, None)
        books.execute("buy", 10, 100, OURS)
        books.execute("buy", 20, 100, THEIRS)
        books.execute("buy", 3, 50, OURS, "QQQ")
        # The user sells all but four, and buys some back: those are not ours.
        books.execute("sell", 33, 100, None)
        books.execute("buy", 10, 100, None)
        books.execute("buy", 4, 120, OURS)

        def own(deployment: UUID) -> dict[str, Holding]:
            return read_books(session.connection(), account, "paper", deployment).own

        assert own(OURS) == {"SPY": Holding(D(8), D(110)), "QQQ": Holding(D(3), D(50))}
        assert own(THEIRS)["SPY"] == Holding(D(4), D(100))
        [nobodys] = read_all_books(session.connection(), [(account, "paper")])
        assert nobodys.own == {}
        assert own(UUID(int=3)) == {}


def test_what_is_converted_after_a_split_is_its_own_in_new_shares(
    engine: Engine, account: UUID
) -> None:
    with Session(engine) as session:
        books = Books(session, account)
        books.execute("buy", 10, 100, None)
        books.split(10, 100)
        books.convert(60, 600, None, OURS)
        held = read_books(session.connection(), account, "paper", OURS).own
        assert held == {"SPY": Holding(D(60), D(10))}


def test_a_stop_protects_what_was_converted_after_a_split_when_old_shares_would_be_sold_out(
    engine: Engine, account: UUID
) -> None:
    with Session(engine) as session:
        books = Books(session, account)
        books.execute("buy", 10, 100, None)
        books.convert(8, 800, None, THEIRS)
        books.split(10, 100)
        books.convert(30, 300, None, OURS)
        books.execute("sell", 50, 11, None)
        stop = books.order("sell", 30, OURS, stop=9)

        def own(deployment: UUID) -> Holding:
            return read_books(session.connection(), account, "paper", deployment).own["SPY"]

        assert own(OURS) == Holding(D(30), D(10))
        assert own(THEIRS) == Holding(D(8), D(100))  # in old shares: it can't go on
        working = working_orders(session.connection(), account, "paper", OURS)
        assert working == [Working(stop, str(stop), adds=False)]
        # What the account has left bounds it as before.
        books.split(50, 25)
        assert own(OURS).qty == 25
