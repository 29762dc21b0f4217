"""Commands that a shard can't take: found, and refused when they come again.

Known to the process alone: a successor finds them again, in the same way.
"""

import structlog

from order_processor.corporate_actions.faults import ActionFaults
from order_processor.errors import ActionFaultError, UnappliableError, UnstorableError
from order_processor.metrics import POISONED
from shared.redis.streams import BEGINNING, position

log = structlog.get_logger()


class Poison:
    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._entries: set[str] = set()
        self.actions = ActionFaults(shard)
        #: Commands up to here are committed one by one: one of them can't be stored.
        self._careful_until = position(BEGINNING)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._entries

    def careful(self, command_cursor: str) -> bool:
        """Whether the command after this one must be committed alone."""
        return position(command_cursor) < self._careful_until

    def unappliable(self, error: UnappliableError) -> None:
        self._add(error.entry_id, "apply")

    def action_failed(self, error: ActionFaultError) -> None:
        self.actions.add(error.attempts, error.reason)

    def unstorable(self, error: UnstorableError) -> None:
        """One that failed alone is known now; of several, or beside splits and dividends, each is
        tried alone. Without a command it is the doing of splits and dividends, or else the tape's,
        which can't be refused."""
        if error.commands == 1 and not error.attempts:
            self._add(error.last_entry_id, "store")
        elif error.commands:
            self._careful_until = max(self._careful_until, position(error.last_entry_id))
        else:
            self.actions.add(error.attempts, f"It could not be stored: {error.reason}")

    def _add(self, entry_id: str, cause: str) -> None:
        self._entries.add(entry_id)
        POISONED.labels(self._shard, cause).inc()
        log.error("command_poisoned", shard=self._shard, entry=entry_id, cause=cause)
