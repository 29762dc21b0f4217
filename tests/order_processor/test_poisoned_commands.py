"""A command that Postgres won't have is refused, and those around it are carried out."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from order_processor.corporate_actions.faults import Attempt
from order_processor.errors import UnstorableError
from order_processor.shards.poison import Poison
from order_processor.wiring import Wiring
from shared.models.orders import OrderReply, Refusal
from tests.order_processor.support import Desk, Feed, ledger_adds_up

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


@pytest.fixture
def forbidding(engine: Engine) -> Iterator[None]:
    """A rule of the database that the code knows nothing of: nobody orders 13 of anything."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION forbid_13() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF NEW.qty = 13 THEN RAISE EXCEPTION 'never 13' USING ERRCODE ="
                " 'check_violation'; END IF; RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER forbid_13 BEFORE INSERT ON orders"
                " FOR EACH ROW EXECUTE FUNCTION forbid_13()"
            )
        )
    yield
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER forbid_13 ON orders"))
        connection.execute(text("DROP FUNCTION forbid_13()"))


@pytest.mark.usefixtures("forbidding")
async def test_a_command_that_can_not_be_stored_is_refused_and_blocks_nobody(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    commands = [
        desk.command("buy", qty, limit="90", client_order_id=f"order {number}")
        for number, qty in enumerate(["1", "13", "2", "13", "3"])
    ]
    # They wait for the processor: it takes all of them into one batch.
    asked = [asyncio.create_task(desk.ask(command)) for command in commands]
    async with processor():
        await feed.print(100.0)
        replies = await asyncio.gather(*asked)
        outcomes = [
            reply.order.status if isinstance(reply, OrderReply) else reply.code
            for reply in replies
            if isinstance(reply, OrderReply | Refusal)
        ]
        assert outcomes == ["accepted", "internal_error", "accepted", "internal_error", "accepted"]
        assert (await desk.submit("buy", "4", limit="90")).status == "accepted"
    stored = [row.qty for row in desk.rows("SELECT qty FROM orders ORDER BY seq")]
    assert stored == [1, 2, 3, 4]
    audited = desk.rows("SELECT code FROM order_audit WHERE outcome = 'refused'")
    assert [row.code for row in audited] == ["internal_error"] * 2
    ledger_adds_up(desk, [desk.account])


def test_a_command_beside_a_split_that_cannot_be_stored_is_not_blamed_for_it() -> None:
    poison, attempt = Poison(0), Attempt(UUID(int=1), "paper", UUID(int=2), 0)
    for _ in range(2):
        poison.unstorable(UnstorableError("7-0", 1, [attempt], "It doesn't fit."))
        assert "7-0" not in poison
        # Committed before it, the split fails without a command.
        assert poison.careful("6-0")
        poison.unstorable(UnstorableError("6-0", 0, [attempt], "It doesn't fit."))
    assert poison.actions.reason(attempt) is not None
    poison.unstorable(UnstorableError("7-0", 1, [], "It doesn't fit."))
    assert "7-0" in poison
