"""Notifications on their users' topics: told once each, in order, whoever dies."""

import asyncio
import json
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from order_processor.housekeeping.actions import Housekeeping
from order_processor.notifications import repository
from order_processor.notifications.herald import Herald
from shared.database.tables import AccountRow, NotificationRow
from shared.models.topics import notifications_topic
from shared.redis.topics import frames_after
from tests.order_processor.support import add_account


def add_user(engine: Engine) -> UUID:
    account = add_account(engine)
    with Session(engine) as db:
        return db.get_one(AccountRow, account).owner_id


def tell(engine: Engine, user_id: UUID, *codes: str) -> None:
    with Session(engine) as db, db.begin():
        for code in codes:
            db.add(
                NotificationRow(user_id=user_id, severity="info", code=code, text="x", context={})
            )
            db.flush()


async def heard(redis: Redis, user_id: UUID, after: int = 0) -> list[tuple[int, str]]:
    frames = await frames_after(redis, notifications_topic(user_id), after)
    return [(seq, json.loads(body)["data"]["code"]) for seq, body in frames or ()]


async def test_each_user_hears_his_own_in_order_and_once(engine: Engine, redis: Redis) -> None:
    mine, other = add_user(engine), add_user(engine)
    herald = Herald(engine, redis)
    assert await herald.tell() == 0
    tell(engine, mine, "a", "b")
    tell(engine, other, "z")
    tell(engine, mine, "c")
    assert await herald.tell() == 4
    assert await herald.tell() == 0
    assert await heard(redis, mine) == [(1, "a"), (2, "b"), (3, "c")]
    assert await heard(redis, other) == [(1, "z")]
    tell(engine, mine, *(str(number) for number in range(9)))
    # Several processes at once.
    await asyncio.gather(*(Herald(engine, redis).tell() for _ in range(3)))
    await herald.tell()
    assert [seq for seq, _ in await heard(redis, mine, after=3)] == list(range(4, 13))


async def test_what_was_numbered_and_not_told_comes_with_its_number(
    engine: Engine, redis: Redis
) -> None:
    user = add_user(engine)
    tell(engine, user, "a")
    repository.number_new(engine, 10)  # and it dies
    tell(engine, user, "b")
    assert await Herald(engine, redis).tell() == 2
    with engine.begin() as connection:  # died after publishing
        connection.execute(text("UPDATE notifications SET told = false"))
    assert await Herald(engine, redis).tell() == 2
    assert await heard(redis, user) == [(1, "a"), (2, "b")]


async def test_numbers_go_on_when_all_rows_have_ended_and_the_snapshot_says_where(
    engine: Engine, redis: Redis
) -> None:
    user, herald = add_user(engine), Herald(engine, redis)
    tell(engine, user, "a", "b")
    await herald.tell()
    with engine.begin() as connection:
        connection.execute(text("UPDATE notifications SET created_at = now() - interval '9 days'"))
    assert Housekeeping(engine, 1, 1).sweep()["notifications"] == 2
    tell(engine, user, "c", "d")
    await herald.tell()
    tell(engine, user, "not numbered yet")
    with engine.begin() as connection:
        connection.execute(text("UPDATE notifications SET read_at = now() WHERE code = 'c'"))
        seq, state = repository.seen(connection, user)
        assert repository.seen(connection, add_user(engine))[0] == 0
    assert (seq, state.unread) == (4, 1)
    assert [each.code for each in state.notifications] == ["d", "c"]
    assert await heard(redis, user, after=2) == [(3, "c"), (4, "d")]
