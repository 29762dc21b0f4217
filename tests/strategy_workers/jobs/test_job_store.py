"""Who works on a backtest, and what is kept of it: Postgres alone, no process."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.database.leases import LeaseLostError
from shared.database.tables import BacktestRow, utc_now
from strategy_workers.jobs import repository
from strategy_workers.jobs.request import JobDone, JobFailure, JobProgress, JobRequest
from strategy_workers.jobs.store import Claim, JobStore

REQUEST = JobRequest(
    strategy="sma_crossover",
    parameters={"fast": 3},
    symbols=["SPY"],
    timeframe="1m",
    source="candles",
    data_timeframe="1m",
    files=[],
    start=None,
    end=None,
    capital=Decimal("1000.50"),
    paper_terms={},
    exchange="XNYS",
    currency="USD",
    tick_size=Decimal("0.01"),
    lot_size=Decimal(1),
)
DONE = JobDone({"rows": 7}, "result", "data", "code")


def ask(engine: Engine, owner: UUID, **values: Any) -> UUID:
    with Session(engine) as session, session.begin():
        row = BacktestRow(owner_id=owner, request=REQUEST.document(), **values)
        session.add(row)
        session.flush()
        return row.id


def row_of(engine: Engine, backtest_id: UUID) -> BacktestRow:
    with Session(engine) as session:
        row = session.get_one(BacktestRow, backtest_id)
        assert row.result is None or row.result
        return row


def worker(engine: Engine, name: str) -> JobStore:
    return JobStore(engine, name, lease_duration_s=60)


def die(engine: Engine, claim: Claim) -> None:
    """Its lease has run out."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE leases SET expires_at = now() - interval '1 s' WHERE key = :key"),
            {"key": str(claim.backtest_id)},
        )


def taken(store: JobStore) -> Claim:
    claim = store.claim()
    assert claim is not None
    return claim


def test_a_backtest_is_taken_by_one_worker_with_all_that_it_needs(
    engine: Engine, owner: UUID
) -> None:
    one, other = worker(engine, "one"), worker(engine, "other")
    assert one.claim() is None
    backtest_id = ask(engine, owner)
    claim = taken(one)
    assert (claim.backtest_id, claim.request) == (backtest_id, REQUEST)
    assert other.claim() is None
    assert not one.beat(claim, JobProgress(3, 9))
    row = row_of(engine, backtest_id)
    assert (row.status, row.attempts, row.rows_done, row.rows_total) == ("running", 1, 3, 9)
    one.finish(claim, DONE, b"whole")
    row = row_of(engine, backtest_id)
    assert (row.status, row.result, row.summary) == ("done", b"whole", {"rows": 7})
    assert one.claim() is None


def test_a_dead_workers_backtest_is_taken_over_and_it_can_write_nothing_more(
    engine: Engine, owner: UUID
) -> None:
    one, other = worker(engine, "one"), worker(engine, "other")
    backtest_id = ask(engine, owner)
    late = taken(one)
    die(engine, late)
    claim = taken(other)
    assert claim.backtest_id == backtest_id
    for write in (
        lambda: one.beat(late, JobProgress(1)),
        lambda: one.finish(late, DONE, b"late"),
        lambda: one.fail(late, JobFailure("late", "Late.")),
        lambda: one.cancelled(late),
        lambda: one.put_back(late),
    ):
        with pytest.raises(LeaseLostError):
            write()
    other.finish(claim, DONE, b"whole")
    assert row_of(engine, backtest_id).result == b"whole"


def test_a_backtest_that_workers_die_of_fails_after_three(engine: Engine, owner: UUID) -> None:
    backtest_id = ask(engine, owner)
    for name in ("a", "b", "c"):
        die(engine, taken(worker(engine, name)))
    assert worker(engine, "d").claim() is None
    row = row_of(engine, backtest_id)
    assert (row.status, row.error_code, row.result) == ("failed", "worker_lost", None)


def test_one_that_is_put_back_has_lost_nothing(engine: Engine, owner: UUID) -> None:
    one = worker(engine, "one")
    backtest_id = ask(engine, owner)
    for _ in range(5):  # as often as workers are restarted
        one.put_back(taken(one))
    row = row_of(engine, backtest_id)
    assert (row.status, row.attempts) == ("waiting", 0)


def test_a_wish_to_cancel_reaches_the_worker_and_its_successor(engine: Engine, owner: UUID) -> None:
    one, other = worker(engine, "one"), worker(engine, "other")
    backtest_id = ask(engine, owner)
    claim = taken(one)
    with engine.begin() as connection:
        connection.execute(text("UPDATE backtests SET cancel_wanted = true"))
    assert one.beat(claim, JobProgress(1))
    die(engine, claim)
    assert other.claim() is None
    assert row_of(engine, backtest_id).status == "cancelled"
    assert other.claim() is None


def test_an_answer_that_was_lost_is_not_written_twice(engine: Engine, owner: UUID) -> None:
    one = worker(engine, "one")
    ask(engine, owner)
    claim = taken(one)
    one.finish(claim, DONE, b"whole")
    with pytest.raises(LeaseLostError):
        one.finish(claim, DONE, b"again")


def test_users_take_turns(engine: Engine, owner: UUID, stranger: UUID) -> None:
    now = utc_now()
    many = [ask(engine, owner, created_at=now - timedelta(hours=n)) for n in (3, 2)]
    single = ask(engine, stranger, created_at=now)
    one = worker(engine, "one")
    assert [taken(one).backtest_id for _ in range(3)] == [many[0], single, many[1]]


@pytest.mark.parametrize(
    "values",
    [{"status": "done"}, {"status": "failed"}, {"result": b"half"}, {"status": "lost"}],
)
def test_nothing_half_can_be_stored(engine: Engine, owner: UUID, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        ask(engine, owner, **values)


def test_a_beat_does_not_read_the_run_that_a_report_is_on(engine: Engine, owner: UUID) -> None:
    asked = ask(engine, owner)
    with Session(engine) as session:
        row = repository.lock(session, asked)
        assert row is not None
        assert {"request", "result"} <= inspect(row).unloaded
