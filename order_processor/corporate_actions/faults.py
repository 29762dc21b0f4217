"""Splits and dividends that made the code, or Postgres, fail on some books. Of the process alone: a
successor finds them again, in the same way."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import structlog

from order_processor.metrics import FAILED_ACTIONS
from shared.models.identifiers import Mode

log = structlog.get_logger()

#: The first time the memory may be at fault, which is built again then.
_MOST_TRIES = 2


class Attempt(NamedTuple):
    """To carry an action out on one set of books, for the so-manieth time that it is asked for."""

    account_id: UUID
    mode: Mode
    action_id: UUID
    number: int


class ActionFaults:
    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._tries: dict[Attempt, int] = {}
        self._reasons: dict[Attempt, str] = {}

    def add(self, attempts: Iterable[Attempt], reason: str) -> None:
        for attempt in attempts:
            self._tries[attempt] = self._tries.get(attempt, 0) + 1
            self._reasons[attempt] = reason
            FAILED_ACTIONS.labels(self._shard).inc()
            log.error("corporate_action_fault", shard=self._shard, **attempt._asdict(), why=reason)

    def reason(self, attempt: Attempt) -> str | None:
        """Why it is not to be tried any more; None when it is."""
        if self._tries.get(attempt, 0) < _MOST_TRIES:
            return None
        return self._reasons[attempt]
