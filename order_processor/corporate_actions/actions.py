"""Announcing splits and dividends, trying them again, cancelling them. They are carried out by the
shards (`steward.py`)."""

from datetime import UTC, date, datetime, time
from uuid import UUID

from sqlalchemy import Engine

from order_processor.corporate_actions import repository
from order_processor.corporate_actions.repository import Announced
from order_processor.corporate_actions.schemas import ActionRequest
from order_processor.shards.clock import moment, nanoseconds
from order_processor.shards.sessions import Sessions
from shared.service.problems import Problem


class CorporateActions:
    def __init__(self, engine: Engine, sessions: Sessions) -> None:
        self._engine = engine
        self._sessions = sessions

    async def session_start(self, symbol: str, exchange: str, ex_date: date) -> datetime:
        """Where the exchange's session of the ex-date starts, extended hours included."""
        await self._sessions.prepare(exchange)
        noon = nanoseconds(datetime.combine(ex_date, time(12), UTC))
        session = self._sessions.session(exchange, noon)
        if session is None or session.date != ex_date:
            raise Problem(
                422,
                "not_a_session",
                f"{ex_date} is no day on which {symbol} is known to trade.",
            )
        return moment(session.open_ns)

    def exchange_of(self, symbol: str) -> str:
        with self._engine.connect() as connection:
            exchange = repository.exchange_of(connection, symbol)
        if exchange is None:
            raise Problem(422, "unknown_symbol", f"There is no instrument {symbol!r}.")
        return exchange

    def announce(self, body: ActionRequest, effective_at: datetime) -> tuple[Announced, bool]:
        """The action, and whether it was announced before. One symbol has one split and one
        dividend a day: what comes under another id was meant once."""
        with self._engine.begin() as connection:
            repository.lock(connection)
            known = repository.announced(connection, body.id)
            if known is None:
                self._refuse_double(
                    repository.like(connection, body.symbol, body.kind, body.ex_date)
                )
                repository.announce(
                    connection,
                    {**body.model_dump(), "effective_at": effective_at},
                )
            told = repository.announced(connection, body.id)
        assert told is not None, "it is there now"
        if known is not None and not body.says_the_same_as(known):
            raise Problem(
                409, "id_conflict", "Another split or dividend was announced with this id."
            )
        return told, known is not None

    def _refuse_double(self, other: Announced | None) -> None:
        if other is not None:
            raise Problem(
                409,
                "corporate_action_exists",
                f"A {other.kind} of {other.symbol} was announced for {other.ex_date}: {other.id}.",
            )

    def retry(self, action_id: UUID) -> Announced | None:
        """Where it has failed; None when there is no such action. Asking again before that has
        failed too changes nothing."""
        with self._engine.begin() as connection:
            known = repository.hold_for_change(connection, action_id)
            if known is None:
                return None
            if known.status == "cancelled":
                raise Problem(409, "corporate_action_cancelled", "It was cancelled.")
            if not known.failed:
                raise Problem(409, "nothing_to_retry", "It has failed on no books.")
            if repository.retried_of(connection, action_id, known.retries):
                repository.retry(connection, action_id)
            return repository.announced(connection, action_id)

    def cancel(self, action_id: UUID, by: str) -> Announced | None:
        """Before it was carried out, or where it has failed; twice changes nothing."""
        with self._engine.begin() as connection:
            known = repository.hold_for_change(connection, action_id)
            if known is None or known.status == "cancelled":
                return known
            if known.status != "failed" and (known.effects or known.looks):
                raise Problem(
                    409,
                    "corporate_action_done",
                    "It was carried out: that can't be taken back.",
                )
            repository.cancel(connection, action_id, by)
            return repository.announced(connection, action_id)

    def get(self, action_id: UUID) -> Announced | None:
        with self._engine.connect() as connection:
            return repository.announced(connection, action_id)

    def newest(self, before: int | None, limit: int) -> tuple[list[Announced], int | None]:
        """Newest first, and where the next page begins."""
        with self._engine.connect() as connection:
            rows = repository.newest(connection, before, limit + 1)
        more = rows[limit - 1][0] if len(rows) > limit else None
        return [action for _, action in rows[:limit]], more
