"""One account's conversation with its broker, while its shard is ours.

What is to be sent was committed first; what the broker answers goes into the shard's stream as a
command, like all that it tells by itself. So nothing here is the truth of anything: after a crash
the next session asks the broker how every working order stands, and goes on from there.

An order is sent again only when the broker, asked by its client order id, does not know it, and
only to a broker that refuses an id that it has seen.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal

import msgspec
import structlog

from order_processor.brokers.broker import Broker, Capabilities, OrderTicket
from order_processor.brokers.errors import (
    BrokerAwayError,
    BrokerError,
    BrokerStoppedError,
    OrderRefusedError,
    OutcomeUnknownError,
)
from shared.models.brokers import BrokerAccount, BrokerOrder, BrokerPosition, BrokerUpdate
from shared.models.identifiers import OrderId
from shared.models.orders import Order
from shared.trading.amounts import ZERO
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

State = Literal["connecting", "ready", "away", "stopped"]
#: Of comparing while things move.
_ROUNDS = 20
_ROUND_PAUSE_S = 0.1
#: After a request that the broker did not answer.
_TRY_AGAIN_S = 1.0


class SessionTerms(msgspec.Struct, frozen=True):
    #: How often, and how many times, a lost connection is tried again.
    reconnect_s: float
    reconnects: int
    #: An order that waits for the broker's word is asked for so often.
    ask_s: float
    #: An order that the broker doesn't have after so long is not sent any more: it is rejected.
    send_within_s: float


class Tracked(msgspec.Struct):
    """A working live order, as it was committed."""

    order: Order
    broker_order_id: str | None = None
    cancel_wanted: bool = False
    #: It may be at the broker: ask before it is sent.
    perhaps_sent: bool = True
    cancel_sent: bool = False
    #: Its end has been told, and is on its way through the shard.
    told_end: bool = False
    asked_at: float = 0.0


class Outbox(msgspec.Struct):
    """Where a session's words go."""

    hear: Callable[[BrokerUpdate], Awaitable[None]]
    compare: Callable[[BrokerAccount, list[BrokerPosition]], Awaitable[None]]
    state: Callable[[State, str | None], Awaitable[None]]


class BrokerSession:
    def __init__(
        self,
        broker: Broker,
        tracked: dict[OrderId, Tracked],
        outbox: Outbox,
        terms: SessionTerms,
    ) -> None:
        self._broker = broker
        #: Kept by the owner of the session, also while it is away.
        self._tracked = tracked
        self._outbox = outbox
        self._terms = terms
        self._wake = asyncio.Event()
        #: Words that the stream brought; nothing else is said while this is held.
        self._saying = asyncio.Lock()
        self._said = 0
        self.ready = False

    @property
    def capabilities(self) -> Capabilities:
        return self._broker.capabilities

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled, or until only a person can help."""
        failed = 0
        while True:
            try:
                async with self._listening() as listener:
                    await self._reconcile()
                    self.ready, failed = True, 0
                    await self._outbox.state("ready", None)
                    await self._work(listener)
            except BrokerStoppedError as error:
                await self._outbox.state("stopped", error.code)
                return
            except BrokerError as error:
                failed += 1
                if failed > self._terms.reconnects:
                    await self._outbox.state("stopped", error.code)
                    return
                await self._outbox.state("away", error.code)
            finally:
                self.ready = False
            await asyncio.sleep(self._terms.reconnect_s)

    # --- hearing -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Task[None]]:
        async with self._broker.updates() as updates:
            task = asyncio.create_task(self._listen(updates), name="broker-updates")
            task.add_done_callback(lambda _: self._wake.set())
            try:
                yield task
            finally:
                await end_tasks([task])

    async def _listen(self, updates: AsyncIterator[BrokerUpdate]) -> None:
        async for update in updates:
            async with self._saying:
                self._said += 1
                await self._outbox.hear(update)

    async def _tell(self, order: BrokerOrder) -> None:
        await self._outbox.hear(BrokerUpdate(order=order))

    # --- reconciling -------------------------------------------------------------------------

    async def _reconcile(self) -> None:
        """Ask how all orders stand, tell of those that aren't ours, and compare what is held once
        nothing moved while it was asked for."""
        for _ in range(_ROUNDS):
            said = self._said
            before = await self._holdings()
            for tracked in list(self._tracked.values()):
                await self._ask(tracked)
            ours = {each.order.client_order_id for each in self._tracked.values()}
            for order in await self._broker.open_orders():
                if order.client_order_id not in ours:
                    await self._outbox.hear(BrokerUpdate(order=order, listed=True))
            account, positions = await self._holdings()
            async with self._saying:
                if (account, positions) == before and self._said == said:
                    await self._outbox.compare(account, positions)
                    return
            await asyncio.sleep(_ROUND_PAUSE_S)
        raise BrokerAwayError("broker_not_settled", "The account moves too fast to be compared.")

    async def _holdings(self) -> tuple[BrokerAccount, list[BrokerPosition]]:
        """What changes with trades alone: equity and buying power move with prices."""
        account = await self._broker.verify()
        still = msgspec.structs.replace(account, equity=ZERO, buying_power=ZERO)
        positions = await self._broker.positions()
        return still, sorted(positions, key=lambda each: each.symbol)

    async def _ask(self, tracked: Tracked) -> bool:
        """Tell how the order stands; whether the broker knows it."""
        tracked.asked_at = monotonic()
        found = await self._broker.order(tracked.order.client_order_id)
        if found is None:
            if tracked.broker_order_id is not None:
                log.error("broker_forgot_order", order_id=str(tracked.order.id))
            return False
        tracked.broker_order_id = found.broker_order_id
        await self._tell(found)
        return True

    # --- sending -----------------------------------------------------------------------------

    async def _work(self, listener: asyncio.Task[None]) -> None:
        while True:
            self._wake.clear()
            if listener.done():
                await listener  # raises why
                raise BrokerAwayError("broker_away", "The broker ended the stream of updates.")
            waits = [await self._serve(each) for each in list(self._tracked.values())]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(waits, default=self._terms.ask_s)):
                    await self._wake.wait()

    async def _serve(self, tracked: Tracked) -> float:
        """Do what there is to do for one order; after how many seconds to look again."""
        if tracked.told_end:
            return self._terms.ask_s
        try:
            if tracked.broker_order_id is None:
                await self._bring(tracked)
            if tracked.cancel_wanted and tracked.broker_order_id and not tracked.cancel_sent:
                await self._cancel(tracked, tracked.broker_order_id)
            waiting = tracked.cancel_wanted or tracked.order.status == "new"
            due_s = tracked.asked_at + self._terms.ask_s - monotonic()
            if waiting and due_s <= 0:
                await self._ask(tracked)
        except (BrokerAwayError, OutcomeUnknownError) as error:
            log.warning("broker_did_not_answer", code=error.code, error=str(error))
            return _TRY_AGAIN_S
        return self._terms.ask_s

    async def _bring(self, tracked: Tracked) -> None:
        """Send it, unless the broker has it or it comes too late."""
        order = tracked.order
        if tracked.perhaps_sent and await self._ask(tracked):
            return
        if tracked.cancel_wanted:
            await self._end(tracked, "rejected", "It was cancelled before it was sent.")
            return
        late = datetime.now(UTC) - order.submitted_at
        if late > timedelta(seconds=self._terms.send_within_s):
            await self._end(tracked, "rejected", "It could not be sent to the broker in time.")
            return
        if tracked.perhaps_sent and not self.capabilities.refuses_repeated_ids:
            return  # nobody can know: it is asked for again
        tracked.perhaps_sent = True
        try:
            placed = await self._broker.place(ticket_of(order))
        except OrderRefusedError as error:
            await self._end(tracked, "rejected", error.message)
            return
        tracked.broker_order_id, tracked.asked_at = placed.broker_order_id, monotonic()
        await self._tell(placed)

    async def _end(self, tracked: Tracked, status: Literal["rejected"], reason: str) -> None:
        order = tracked.order
        await self._tell(
            BrokerOrder(
                client_order_id=order.client_order_id,
                broker_order_id="",
                symbol=order.symbol,
                side=order.side,
                qty=order.qty,
                status=status,
                filled_qty=ZERO,
                filled_avg_price=None,
                at=datetime.now(UTC),
                reason=reason,
            )
        )
        tracked.told_end = True

    async def _cancel(self, tracked: Tracked, broker_order_id: str) -> None:
        try:
            await self._broker.cancel(broker_order_id)
        except OrderRefusedError:
            await self._ask(tracked)  # it has ended, most likely
        tracked.cancel_sent, tracked.asked_at = True, monotonic()


def ticket_of(order: Order) -> OrderTicket:
    return OrderTicket(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.type,
        time_in_force=order.time_in_force,
        qty=order.qty,
        limit_price=order.limit_price,
        # A trailing stop's own stop is the broker's to move.
        stop_price=order.stop_price if order.type != "trailing_stop" else None,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
    )
