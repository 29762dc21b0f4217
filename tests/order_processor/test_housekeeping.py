"""What ends after a while, and what recovery needs and stays."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from order_processor.housekeeping.actions import Housekeeping
from shared.database.tables import AccountEventRow, AccountRow, NotificationRow, ShardRow, utc_now
from tests.order_processor.support import add_account

OLD, YOUNG = timedelta(days=31), timedelta(days=1)


@pytest.mark.parametrize("at_once", [1, 5000])
def test_old_events_end_but_for_the_unpublished_and_the_last_of_each_topic(
    engine: Engine, at_once: int
) -> None:
    account = add_account(engine)
    events = [("a", OLD), ("a", OLD), ("b", OLD), ("a", YOUNG), ("c", OLD), ("c", OLD), ("c", OLD)]
    with Session(engine) as db, db.begin():
        db.add(ShardRow(shard=0, event_seq=7, published_seq=5))
        for seq, (topic, age) in enumerate(events, 1):
            db.add(
                AccountEventRow(
                    shard=0,
                    seq=seq,
                    account_id=account,
                    topic=topic,
                    topic_seq=seq,
                    frame=b"{}",
                    recorded_at=utc_now() - age,
                )
            )
        owner = db.get_one(AccountRow, account).owner_id
        for age in (OLD, YOUNG):
            db.add(
                NotificationRow(
                    user_id=owner,
                    severity="info",
                    code="x",
                    text="x",
                    context={},
                    created_at=utc_now() - age,
                )
            )
    housekeeping = Housekeeping(engine, 30, 30, at_once)
    assert housekeeping.sweep() == {
        "account_events": 3,
        "notifications": 1,
    }
    with Session(engine) as db:
        kept = [row.seq for row in db.query(AccountEventRow).order_by(AccountEventRow.seq)]
    assert kept == [3, 4, 6, 7]
    assert housekeeping.sweep() == {
        "account_events": 0,
        "notifications": 0,
    }
