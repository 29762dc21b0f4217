"""Loss limits of one shard: counted, latched, and let go again. No I/O."""

from collections.abc import Callable, Mapping
from datetime import UTC, date
from decimal import Decimal
from uuid import UUID

import msgspec

from order_processor.risk.measures import ACTOR, Measures
from order_processor.shards.clock import moment, nanoseconds
from order_processor.shards.market import Market
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import BooksKey
from shared.models.risk import DeploymentLoss, Latch, RiskState, SessionLoss
from shared.trading.amounts import shown
from shared.trading.books import Books
from shared.trading.losses import Reached, losses_of_deployments, reached, reached_by_deployments
from shared.trading.terms import Refused

_DAY_NS = 86_400 * 1_000_000_000
_NOT_LATCHED = Refused("loss_limit_not_latched", "The loss limit has not been reached.")


class SessionDays:
    """The session that a moment belongs to, by one exchange's calendar; its UTC day where the
    calendar says nothing."""

    def __init__(self, sessions: Sessions, exchange: str) -> None:
        self._sessions = sessions
        self.exchange = exchange
        self._day = date.min
        self._from_ns = self._until_ns = 0

    def ready(self) -> bool:
        return self._sessions.ready(self.exchange)

    def at(self, at_ns: int) -> date:
        if not self._from_ns <= at_ns < self._until_ns:
            self._look(at_ns)
        return self._day

    def _look(self, at_ns: int) -> None:
        session = self._sessions.session(self.exchange, at_ns)
        if session is not None:
            self._day = session.date
            self._from_ns, self._until_ns = session.open_ns, session.next_open_ns
        else:
            self._day = moment(at_ns).astimezone(UTC).date()
            self._from_ns = at_ns // _DAY_NS * _DAY_NS
            self._until_ns = self._from_ns + _DAY_NS


class LossLimits:
    def __init__(
        self,
        books: Mapping[BooksKey, Books],
        market: Market,
        days: SessionDays,
        run_id: Callable[[], str],
        measures: Measures,
    ) -> None:
        self._books = books
        self._market = market
        self._days = days
        #: Of the paced run's last mark; empty before the first and without one.
        self._run_id = run_id
        self._measures = measures
        #: Books whose session losses are limited.
        self._by_session: set[BooksKey] = set()
        #: Session and run that all of them have come to; None: look again.
        self._looked: tuple[date, str] | None = None

    def watch(self, key: BooksKey, books: Books) -> None:
        if books.risk.ladder.account.session_loss is not None:
            if key not in self._by_session:
                self._looked = None
            self._by_session.add(key)
        else:
            self._by_session.discard(key)

    @property
    def needs_calendar(self) -> bool:
        return bool(self._by_session) and not self._days.ready()

    @property
    def exchange(self) -> str:
        return self._days.exchange

    def come_to(self, at_ns: int) -> None:
        """Market time has come to `at_ns`, and nothing that happens then was applied yet: what a
        new session opens with is its own."""
        if not self._by_session:
            return
        now = self._session_at(at_ns)
        if now is None or now == self._looked:
            return
        self._looked = now
        for key in sorted(self._by_session):
            self._begin_session(key, self._books[key], *now)

    def _session_at(self, at_ns: int) -> tuple[date, str] | None:
        """With the run that it belongs to; None in a run whose first mark will tell which it is."""
        if self._market.time_ns is None:
            return self._days.at(nanoseconds(self._market.now())), ""
        run_id = self._run_id()
        return (self._days.at(at_ns), run_id) if run_id and at_ns else None

    def _begin_session(self, key: BooksKey, books: Books, day: date, run_id: str) -> None:
        if run_id and books.mode == "live":
            return  # a replay's time is not a broker's
        state = books.risk.state
        known = state.session
        if known is not None and known.run_id == run_id and known.day >= day:
            return
        begun = SessionLoss(day, run_id, books.risk.profit())
        self._measures.set_state(key, books, msgspec.structs.replace(state, session=begun))

    # --- looking -----------------------------------------------------------------------------

    def check(self, key: BooksKey, books: Books) -> None:
        guard = books.risk
        if guard.ladder.account.loss is not None and guard.state.baseline is None:
            self._measures.set_state(key, books, self._reset(guard.state, guard.profit()))
        now = self._session_at(self._market.time_ns or 0) if key in self._by_session else None
        if now is not None:
            self._begin_session(key, books, *now)
        found = reached(guard)
        if found is not None:
            self._latch(key, books, found)
        for deployment_id, each in list(reached_by_deployments(guard)):
            self._latch_deployment(key, books, deployment_id, each)

    def _latch(self, key: BooksKey, books: Books, found: Reached) -> None:
        flatten = books.risk.ladder.account.flatten_on_loss
        latch = self._made(found, flatten=flatten)
        state = msgspec.structs.replace(books.risk.state, loss=latch)
        why = f"The loss limit of {latch.limit} was reached: the loss is {latch.observed}."
        self._measures.act(key, books, state, "loss_limit_latched", why, flatten=flatten)

    def _latch_deployment(
        self, key: BooksKey, books: Books, deployment_id: UUID, found: Reached
    ) -> None:
        flatten = books.risk.ladder.deployments[deployment_id].flatten_on_loss
        latch = self._made(found, flatten=flatten)
        own = books.risk.state.deployments.get(deployment_id, DeploymentLoss())
        state = _with_deployment(
            books.risk.state, deployment_id, msgspec.structs.replace(own, latch=latch)
        )
        why = f"The strategy's loss limit of {latch.limit} was reached: it lost {latch.observed}."
        self._measures.act(
            key,
            books,
            state,
            "deployment_loss_latched",
            why,
            flatten=flatten,
            deployment_id=deployment_id,
        )

    def _made(self, found: Reached, *, flatten: bool) -> Latch:
        session = " of the session" if found.kind == "max_session_loss" else ""
        return Latch(
            at=self._market.now(),
            by=ACTOR,
            reason=f"The loss limit{session} was reached.",
            flatten=flatten,
            limit=shown(found.bound.limit),
            observed=shown(found.loss),
            level=found.bound.level,
            kind=found.kind,
        )

    # --- letting go --------------------------------------------------------------------------

    def acknowledge(self, key: BooksKey, books: Books) -> Refused | None:
        """Both losses of the account count anew."""
        state = books.risk.state
        if state.loss is None:
            return _NOT_LATCHED
        profit = books.risk.profit()
        if state.session is not None:
            session = msgspec.structs.replace(state.session, baseline=profit)
            state = msgspec.structs.replace(state, session=session)
        self._measures.set_state(key, books, self._reset(state, profit))
        self._measures.tell(key, books, "loss_limit_acknowledged")
        return None

    def acknowledge_deployment(
        self, key: BooksKey, books: Books, deployment_id: UUID
    ) -> Refused | None:
        state = books.risk.state
        own = state.deployments.get(deployment_id)
        if own is None or own.latch is None:
            return _NOT_LATCHED
        lost = losses_of_deployments(books.risk)[deployment_id]
        anew = DeploymentLoss(baseline=own.baseline - lost)
        self._measures.set_state(key, books, _with_deployment(state, deployment_id, anew))
        self._measures.tell(key, books, "deployment_loss_acknowledged", deployment_id=deployment_id)
        return None

    def _reset(self, state: RiskState, profit: Decimal) -> RiskState:
        return msgspec.structs.replace(
            state, loss=None, baseline=profit, baseline_at=self._market.now()
        )


def _with_deployment(state: RiskState, deployment_id: UUID, own: DeploymentLoss) -> RiskState:
    return msgspec.structs.replace(state, deployments={**state.deployments, deployment_id: own})
