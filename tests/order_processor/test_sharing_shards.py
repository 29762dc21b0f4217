"""Several processes and the shards: joining and leaving while orders come in."""

import asyncio
import signal
from collections.abc import Callable

from redis.asyncio import Redis

from shared.models.identifiers import AccountId
from shared.models.orders import OrderReply, Reply
from shared.redis.keys import shard_of
from tests.order_processor.support import (
    Desk,
    ProcessorProcess,
    add_account,
    all_published,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

Processes = Callable[..., ProcessorProcess]
_SHARDS = 4


def _one_account_a_shard(desk: Desk) -> list[AccountId]:
    accounts = {shard_of(desk.account, _SHARDS): desk.account}
    while len(accounts) < _SHARDS:
        account = add_account(desk.engine)
        accounts.setdefault(shard_of(account, _SHARDS), account)
    return list(accounts.values())


async def test_processes_join_and_leave_under_load_and_no_client_notices(
    processes: Processes, desk: Desk, redis: Redis
) -> None:
    """Clients ask once, and never again: each order is answered, and is there once. The shards
    are divided anew each time."""
    accounts = _one_account_a_shard(desk)
    replies: dict[AccountId, list[Reply]] = {account: [] for account in accounts}
    first = processes()
    await until(lambda: _owned(desk) == [4])
    stop = asyncio.Event()

    async def trade(account: AccountId) -> None:
        while not stop.is_set():
            commands = [desk.command("buy", "1", limit="1", account=account) for _ in range(3)]
            replies[account] += await asyncio.gather(*(desk.ask(each) for each in commands))

    trading = [asyncio.create_task(trade(account)) for account in accounts]
    await until(lambda: min(map(len, replies.values())) >= 6)
    second = processes()
    await until(lambda: _owned(desk) == [2, 2])
    processes()
    await until(lambda: len(_owned(desk)) == 3)
    for leaving in (first, second):
        leaving.signal(signal.SIGTERM)
        # In a thread: the clients go on meanwhile.
        await asyncio.to_thread(leaving.wait)
    answered = {account: len(replies[account]) for account in accounts}
    await until(lambda: all(len(replies[each]) > answered[each] + 3 for each in accounts))
    await until(lambda: _owned(desk) == [4])
    stop.set()
    await asyncio.gather(*trading)

    for account, said in replies.items():
        orders = [reply.order for reply in said if isinstance(reply, OrderReply)]
        assert len(orders) == len(said), "every command was answered with an order"
        assert not any(reply.repeated for reply in said if isinstance(reply, OrderReply))
        assert sorted(order.seq for order in orders) == list(range(1, len(said) + 1))
        stored = desk.value("SELECT count(*) FROM orders WHERE account_id = :a", a=account)
        assert stored == len(said)
    ledger_adds_up(desk, accounts)
    frames_are_gap_free(desk)
    await until(lambda: all_published(desk, redis))


def _owned(desk: Desk) -> list[int]:
    """How many shards each owner has."""
    rows = desk.rows(
        "SELECT count(*) AS shards FROM leases"
        " WHERE kind = 'order_shard' AND expires_at > now() GROUP BY owner"
    )
    return sorted(row.shards for row in rows)
