import threading

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from shared.database.leases import (
    IDLE_TRANSACTION_S,
    LeaseLostError,
    acquire,
    acquire_all,
    hold,
    hold_all,
    release,
    release_all,
    renew,
    renew_all,
)


def test_a_held_lease_is_refused_to_others(engine: Engine) -> None:
    with engine.begin() as connection:
        assert acquire(connection, "k", "1", "a", 60) is not None
        assert acquire(connection, "k", "1", "b", 60) is None
        assert acquire(connection, "k", "2", "b", 60) is not None


def test_a_released_or_expired_lease_goes_on_with_a_higher_epoch(engine: Engine) -> None:
    with engine.begin() as connection:
        first = acquire(connection, "k", "1", "a", 60)
        assert first is not None
        release(connection, first)
    with engine.begin() as connection:
        second = acquire(connection, "k", "1", "b", 0)
        assert second is not None
    with engine.begin() as connection:
        third = acquire(connection, "k", "1", "c", 60)
        assert third is not None
    assert first.epoch < second.epoch < third.epoch


def test_a_returned_lease_can_be_left_to_others_but_not_a_dead_owners(engine: Engine) -> None:
    with engine.begin() as connection:
        returned = acquire(connection, "k", "1", "a", 60)
        assert returned is not None
        release(connection, returned)
        assert acquire(connection, "k", "2", "dead", 0) is not None
    with engine.begin() as connection:
        assert acquire(connection, "k", "1", "polite", 60, leave_returned_s=60) is None
        assert acquire(connection, "k", "1", "b", 60) is not None
        assert acquire(connection, "k", "2", "polite", 60, leave_returned_s=60) is not None
        assert acquire(connection, "k", "3", "polite", 60, leave_returned_s=60) is not None


def test_a_late_owner_can_neither_renew_nor_write(engine: Engine) -> None:
    with engine.begin() as connection:
        old = acquire(connection, "k", "1", "a", 0)
    assert old is not None
    with engine.begin() as connection:
        acquire(connection, "k", "1", "b", 60)
    with engine.begin() as connection, pytest.raises(LeaseLostError):
        renew(connection, old, 60)
    with engine.begin() as connection, pytest.raises(LeaseLostError):
        hold(connection, old)


def test_a_take_over_waits_for_the_write_that_is_under_way(engine: Engine) -> None:
    with engine.begin() as connection:
        lease = acquire(connection, "k", "1", "a", 0)
    assert lease is not None
    taken = threading.Event()

    def take_over() -> None:
        with engine.begin() as rival:
            assert acquire(rival, "k", "1", "b", 60) is not None
        taken.set()

    thread = threading.Thread(target=take_over)
    with engine.begin() as connection:
        hold(connection, lease)
        thread.start()
        assert not taken.wait(0.3)
        connection.execute(text("SELECT 1"))
    assert taken.wait(5)
    thread.join()


def test_an_owner_that_freezes_in_its_transaction_does_not_keep_rivals_out(engine: Engine) -> None:
    with engine.begin() as connection:
        lease = acquire(connection, "k", "1", "a", 0)
    assert lease is not None
    frozen = engine.connect()
    hold(frozen, lease)
    # Short, for this test; that `hold` sets the real one is the next test's.
    frozen.execute(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
    with engine.begin() as rival:
        assert acquire(rival, "k", "1", "b", 60) is not None
    with pytest.raises(DBAPIError):
        frozen.execute(text("SELECT 'awake'"))
    frozen.close()


def test_whatever_touches_a_lease_bounds_how_long_its_transaction_may_idle(engine: Engine) -> None:
    with engine.begin() as connection:
        lease = acquire(connection, "k", "1", "a", 60)
        assert lease is not None
        assert _idle_timeout(connection) == f"{IDLE_TRANSACTION_S}s"
    for touch in (
        lambda it: acquire(it, "k", "1", "refused", 60),
        lambda it: hold(it, lease),
        lambda it: renew(it, lease, 60),
        lambda it: hold_all(it, [lease]),
        lambda it: renew_all(it, [lease], 60),
    ):
        with engine.begin() as connection:
            assert _idle_timeout(connection) == "0"
            touch(connection)
            assert _idle_timeout(connection) == f"{IDLE_TRANSACTION_S}s"


def _idle_timeout(connection: Connection) -> str:
    return str(connection.scalar(text("SHOW idle_in_transaction_session_timeout")))


def test_many_leases_are_renewed_held_and_released_but_never_a_lost_one(engine: Engine) -> None:
    with engine.begin() as connection:
        mine = [acquire(connection, "k", key, "a", 0) for key in ("1", "2", "3")]
    leases = [lease for lease in mine if lease is not None]
    assert len(leases) == 3
    with engine.begin() as connection:
        assert acquire(connection, "k", "2", "b", 60) is not None
    kept = [leases[0], leases[2]]
    with engine.begin() as connection:
        assert renew_all(connection, leases, 60) == kept
        assert hold_all(connection, leases) == kept
        assert renew_all(connection, [], 60) == []
    with engine.begin() as connection:
        assert acquire(connection, "k", "1", "b", 60) is None
        release_all(connection, leases)
        assert acquire(connection, "k", "1", "b", 60) is not None
        assert acquire(connection, "k", "2", "c", 60) is None


def test_many_leases_are_acquired_at_once_but_for_those_of_others(engine: Engine) -> None:
    with engine.begin() as connection:
        assert acquire(connection, "k", "1", "a", 60) is not None
        own = acquire(connection, "k", "2", "b", 60)
        assert acquire(connection, "k", "3", "c", 0) is not None
        assert own is not None
    with engine.begin() as connection:
        taken = acquire_all(connection, "k", ["1", "2", "3", "4"], "b", 60)
        assert sorted((lease.key, lease.epoch) for lease in taken) == [("2", 2), ("3", 2), ("4", 1)]
        assert hold_all(connection, [own]) == []
        assert acquire_all(connection, "k", [], "b", 60) == []
