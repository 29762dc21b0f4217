"""One deployment in the hands of a worker: what it has seen, and what it decides. Pure."""

import sys
import traceback
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from shared.models.identifiers import Mode, Timeframe
from shared.models.margin import MarginTerms
from shared.models.market import Candle, TimeMark
from shared.models.orders import OrderExecuted, OrderStatus, OrderUpdated, Refusal
from shared.models.topics import account_topic
from shared.redis.streams import BEGINNING, position
from strategy_workers.runtime.desk import Desk, Lots
from strategy_workers.runtime.journal import Journal
from strategy_workers.runtime.lines import storable
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.portfolio import FILLS, Portfolio
from strategy_workers.runtime.snapshot import (
    Outgoing,
    OutgoingOrder,
    OutgoingReplace,
    RefusedOrder,
    Snapshot,
    check_json,
    decode_snapshot,
    encode_snapshot,
)
from strategy_workers.sdk import OrderEvent, Strategy
from strategy_workers.sdk.errors import ToldError

_ERROR_CHARS = 8000
#: Where others have a tape entry id, client order ids of `on_stop` say this.
_LAST_WORDS = "stop"


class HookError(Exception):
    """The strategy raised: this deployment is paused. The message is the traceback."""


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """What was asked for, with what is known of its symbols."""

    id: UUID
    account_id: UUID
    mode: Mode
    strategy: str
    parameters: dict[str, Any]
    symbols: tuple[str, ...]
    timeframe: Timeframe
    wanted: str
    status: str
    snapshot: bytes | None
    lots: dict[str, Lots]
    #: Of the account; None of a cash account, and of live ones.
    margin: MarginTerms | None = None
    #: Of the parameters; and of the strategy, when it is an uploaded one.
    version: int = 1
    strategy_version: int | None = None
    #: What becomes of its working orders when it pauses.
    pause_orders: str = "cancel_entries"

    @property
    def participant(self) -> str:
        return f"deployment:{self.id}"

    @property
    def has_ended(self) -> bool:
        return self.status == "stopped" or (self.status == "paused" and self.wanted != "stopped")

    def is_last_word(self, client_order_id: str) -> bool:
        """Was the order sent by `on_stop`? Those outlive the deployment."""
        return client_order_id.startswith(f"{self.id.hex}-{_LAST_WORDS}-")


class Deployment:
    def __init__(self, record: DeploymentRecord, strategy_class: type[Strategy]) -> None:
        """Raises HookError when `on_start` does."""
        self.id = record.id
        self.account_id = record.account_id
        self.mode: Mode = record.mode
        self.record = record
        self.strategy_class = strategy_class
        self.participant = record.participant
        self.executions_topic = account_topic(record.account_id, record.mode, "executions")
        self.orders_topic = account_topic(record.account_id, record.mode, "orders")
        #: Last tape entry worked through, and the last mark.
        self.cursor = BEGINNING
        self.mark: TimeMark | None = None
        #: The cursor of the snapshot in the database.
        self.durable_cursor = BEGINNING
        #: Marks whose effects are in memory only.
        self.unsaved_marks = 0
        self.stopping = False
        #: It has a snapshot in the database.
        self.started = False
        #: What it has heard since that snapshot, to be told again; None when that can't be.
        self.heard: list[Callable[[Deployment], object]] | None = []
        #: No snapshot has been stored with this version of the parameters.
        self.version_is_new = True
        self._at_ns = 0
        log = structlog.get_logger().bind(
            deployment=str(record.id), account=str(record.account_id), strategy=record.strategy
        )
        try:
            self._strategy = strategy_class(strategy_class.parse_parameters(record.parameters))
            self.market = MarketView(
                record.symbols, record.timeframe, self._strategy.more_timeframes()
            )
            self._desk = Desk(
                record.id.hex, self.market, Portfolio(), record.lots, record.margin, log
            )
            self.journal = Journal(self._desk)
            self._strategy.attach(self._desk)
            weakref.finalize(self, self._strategy.detach)
            #: Otherwise nobody needs order events.
            self.listens = strategy_class.on_order is not Strategy.on_order
            self._compares = strategy_class.on_moment is not Strategy.on_moment
            self._strategy.on_start()
            self.market.keep(self._strategy.warmup)
            self._indicator_names = self.market.names_in(vars(self._strategy))
        except (Exception, SystemExit) as error:
            raise HookError(error_text()) from error

    @property
    def desk(self) -> Desk:
        return self._desk

    @property
    def state(self) -> dict[str, Any]:
        """What the strategy keeps."""
        return self._strategy.state

    # --- snapshots -----------------------------------------------------------------------------

    @property
    def portfolio(self) -> Portfolio:
        return self._desk.portfolio

    @portfolio.setter
    def portfolio(self, portfolio: Portfolio) -> None:
        self._desk.portfolio = portfolio
        self.heard = None

    @property
    def outbox(self) -> list[Outgoing]:
        return self._desk.outbox

    @property
    def held_back(self) -> int:
        """Orders that it could not send, since it is in our hands."""
        return self._desk.held_back

    def restore(self, body: bytes) -> None:
        """Raises HookError when the strategy no longer fits to its snapshot."""
        try:
            snapshot = decode_snapshot(body)
            if snapshot.market is not None:
                self.market.restore(snapshot.market)
        except Exception as error:
            raise HookError(error_text()) from error
        self.cursor = self.durable_cursor = snapshot.cursor
        self.mark = snapshot.mark
        self._at_ns = snapshot.mark.at_ns if snapshot.mark else 0
        self._desk.portfolio = snapshot.portfolio
        self._desk.outbox = snapshot.outbox
        self._desk.refusals = snapshot.refusals
        self._desk.timers.restore(snapshot.timers)
        self._strategy.state = snapshot.state
        self.heard = []
        self.version_is_new = False
        self.journal.restore(snapshot.signals, snapshot.lines, snapshot.points, snapshot.series)
        self.stopping = snapshot.stopping
        self.started = True

    def snapshot(self) -> bytes:
        """Raises HookError when `state` is not plain JSON."""
        try:
            check_json(self._strategy.state, "self.state")
            return encode_snapshot(
                Snapshot(
                    cursor=self.cursor,
                    mark=self.mark,
                    portfolio=self.portfolio,
                    market=self.market.state(),
                    state=self._strategy.state,
                    outbox=self.outbox,
                    refusals=self._desk.refusals,
                    timers=self._desk.timers.state(),
                    signals=self.journal.signals,
                    stopping=self.stopping,
                    lines=self.journal.lines,
                    points=self.journal.points,
                    series=self.journal.series,
                    indicator_names=self._indicator_names,
                    parameters=self.record.parameters,
                    version=self.record.version,
                    strategy_version=self.record.strategy_version,
                )
            )
        except Exception as error:
            raise HookError(error_text()) from error

    def saved(self) -> None:
        """The snapshot of this moment is in the database."""
        self.journal.stored()
        self.durable_cursor = self.cursor
        self.unsaved_marks = 0
        self.started = True
        self.heard = []
        self.version_is_new = False

    def hear(self, news: "Callable[[Deployment], object]") -> None:
        """Note what was heard, should it have to be told again."""
        if self.heard is not None:
            self.heard.append(news)

    def hear_again(self, heard: "Iterable[Callable[[Deployment], object]]") -> bool:
        """After `restore`: what the one before has heard and did not order on. False when it
        comes out differently. Raises HookError."""
        for news in heard:
            before = self.outbox
            news(self)
            if self.outbox and self.outbox is not before:
                return False
        return True

    def inherit(self, old: "Deployment") -> None:
        """Go on from where `old` is, between two marks, with other parameters.

        State, positions, orders and timers stay. Raises HookError.
        """
        self.cursor, self.durable_cursor = old.cursor, old.durable_cursor
        self.mark, self._at_ns = old.mark, old.at_ns
        self._desk.inherit(old.desk)
        self._strategy.state = old.state
        self.journal.inherit(old.journal)
        self.started, self.stopping = old.started, old.stopping
        self.heard = None
        paced = old.mark is None or old.mark.paced
        try:
            if paced or not self.market.needs_more_than(old.market):
                self.market.inherit(old.market)
        except Exception as error:
            raise HookError(error_text()) from error

    def skip_to(self, entry_id: str, mark: TimeMark) -> None:
        """Leave out what was on the tape while it was paused: candles are missing from now on."""
        if self.is_behind(entry_id):
            if self.mark is None or self.mark.run_id != mark.run_id:
                self._desk.timers.run_started()
            self.market.reset()
        self._desk.clear()
        self.cursor, self.mark, self._at_ns = entry_id, mark, mark.at_ns

    # --- the tape ------------------------------------------------------------------------------

    def is_behind(self, entry_id: str) -> bool:
        return position(self.cursor) < position(entry_id)

    def run_started(self, entry_id: str, *, paced: bool) -> None:
        """The market view and timers begin anew; position view and `state` stay."""
        self.market.reset()
        if paced:  # a live one begins in the middle of intervals
            self.market.begin_run()
        self._desk.timers.run_started()
        self.cursor = entry_id
        self.unsaved_marks += 1

    def pass_mark(self, entry_id: str, mark: TimeMark) -> None:
        """Nothing happened for this deployment up to `mark`."""
        self.cursor = entry_id
        self.mark = mark
        self._at_ns = mark.at_ns
        self._desk.clear()
        if self.unsaved_marks == 0:
            # The snapshot describes this moment just as well.
            self.durable_cursor = entry_id

    def decide(
        self,
        entry_id: str,
        mark: TimeMark,
        events: Iterable[tuple[int, OrderExecuted | OrderUpdated]],
        candles: Sequence[Candle],
    ) -> int:
        """Work through one slice; the number of candles that were news. Raises HookError.

        After an error the deployment is as good as gone: its outbox must not be sent.
        """
        self.cursor = entry_id
        self.mark = mark
        self.unsaved_marks += 1
        self._at_ns = mark.at_ns
        self._desk.begin(entry_id, mark.at_ns)
        fresh: list[Candle] = []
        try:
            self.market.form(candles)
            self._tell_refusals()
            for seq, event in events:
                self._take_event(seq, event)
            for candle in candles:
                if self.market.take(candle):
                    fresh.append(candle)
                    self._strategy.on_candle(candle)
            if fresh:
                self._end_moment(mark.at_ns, fresh)
        except (Exception, SystemExit) as error:
            raise HookError(error_text()) from error
        finally:
            self._desk.end()
        return len(fresh)

    def _end_moment(self, at_ns: int, candles: Sequence[Candle]) -> None:
        if self._desk.timers.next_ns <= at_ns:
            for name in self._desk.timers.take_due(at_ns):
                self._strategy.on_timer(name)
        if self._compares:
            self._strategy.on_moment(candles)

    def follow(self, moments: Iterable[Sequence[Candle]]) -> bool:
        """Decide on the candles of one quiet moment after another, as `decide` would, until one
        leaves something to send; False when there are no more. Raises HookError.

        All candles of a moment end at the same time. Nothing but candles may be news in it.
        """
        desk, take, on_candle = self._desk, self.market.take, self._strategy.on_candle
        desk.begin(self._at_ns, self._at_ns)
        outbox, refusals, timers, compares = (
            desk.outbox,
            desk.refusals,
            desk.timers,
            self._compares,
        )
        try:
            for candles in moments:
                desk.label = desk.at_ns = candles[0].end_ns
                for candle in candles:
                    if take(candle):
                        on_candle(candle)
                if compares or timers.next_ns <= desk.at_ns:
                    self._end_moment(desk.at_ns, candles)
                if outbox or refusals:
                    return True
        except (Exception, SystemExit) as error:
            raise HookError(error_text()) from error
        finally:
            self._at_ns = desk.at_ns
            self.unsaved_marks += 1
            desk.end()
        return False

    @property
    def at_ns(self) -> int:
        """Market time of the last moment."""
        return self._at_ns

    def stop(self) -> None:
        """Let the strategy say its last words, once. Raises HookError."""
        self.stopping = True
        self.unsaved_marks += 1
        self._desk.begin(_LAST_WORDS, self._at_ns)
        try:
            self._strategy.on_stop()
        except (Exception, SystemExit) as error:
            raise HookError(error_text()) from error
        finally:
            self._desk.end()

    def refused(self, order: OutgoingOrder | OutgoingReplace, refusal: Refusal) -> None:
        """Told to the strategy at the next mark: there is no event of it."""
        self._desk.refusals.append(RefusedOrder(order, refusal.code, refusal.message))

    @property
    def has_decided(self) -> bool:
        """Something of its last moment is to be stored and sent."""
        return self.unsaved_marks > 0 and bool(self._desk.outbox)

    @property
    def has_news(self) -> bool:
        return bool(self._desk.refusals)

    # --- events --------------------------------------------------------------------------------

    def _take_event(self, seq: int, event: OrderExecuted | OrderUpdated) -> None:
        order = event.order
        if isinstance(event, OrderExecuted):
            self.portfolio.executed(seq, event, mine=order.deployment_id == self.id)
            kind: OrderStatus = "filled" if order.filled_qty == order.qty else "partially_filled"
            execution = event.execution
        else:
            self.portfolio.updated(seq, event)
            kind, execution = event.event, None
            if kind in FILLS or kind == "new":
                return  # told with its execution; or stored, and not yet taken by the broker
        if order.deployment_id != self.id or not self.listens:
            return
        self._strategy.on_order(
            OrderEvent(
                kind=kind,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                order=order,
                execution=execution,
                reason_code=order.reason_code,
                reason=order.reason,
            )
        )

    def _tell_refusals(self) -> None:
        refusals, self._desk.refusals = self._desk.refusals, []
        for refused in refusals:
            order = refused.order
            self.portfolio.forget(order.client_order_id)
            self._strategy.on_order(
                OrderEvent(
                    kind="refused",
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                    side=order.side,
                    reason_code=refused.code,
                    reason=refused.message,
                )
            )


def error_text() -> str:
    """The end of the traceback under way, fit for Postgres' text."""
    error = sys.exception()
    if isinstance(error, ToldError):
        return storable(str(error)[-_ERROR_CHARS:])
    return storable(traceback.format_exc()[-_ERROR_CHARS:])
