"""What can go wrong in a shard, and who reacts.

    LeaseLostError          another process owns the shard now: forget it, stand by
    ShardFault              the memory can't be trusted any more: take the lease anew, reload
      CursorMovedError      the shard's row is not as this owner left it
      UnappliableError      a command made the code fail: reload, and refuse it next time
      ActionFaultError      a split or dividend made the code fail: reload, and set it aside on
                            those books when it fails again
      UnstorableError       Postgres won't have what a batch writes: reload, commit its commands one
                            by one, and refuse the one that fails alone
    any other exception     (Postgres or Redis away, a bug): reload after a pause

Refusals and rejections are answers, not errors.
"""

from order_processor.corporate_actions.faults import Attempt
from shared.database.leases import LeaseLostError

__all__ = [
    "ActionFaultError",
    "CursorMovedError",
    "LeaseLostError",
    "ShardFault",
    "UnappliableError",
    "UnstorableError",
]


class ShardFault(Exception):  # noqa: N818
    """Drop what is in memory and begin again from the last commit."""


class CursorMovedError(ShardFault):
    """Somebody else wrote the shard's row since this owner read it; nothing was written."""


class UnappliableError(ShardFault):
    def __init__(self, entry_id: str) -> None:
        super().__init__(f"command {entry_id} could not be applied")
        self.entry_id = entry_id


class ActionFaultError(ShardFault):
    def __init__(self, attempts: list[Attempt], reason: str) -> None:
        super().__init__(f"{attempts}: {reason}")
        self.attempts = attempts
        self.reason = reason


class UnstorableError(ShardFault):
    """It will be so however often it is tried; nothing was written."""

    def __init__(
        self, last_entry_id: str, commands: int, attempts: list[Attempt], reason: str
    ) -> None:
        super().__init__(f"{commands} commands up to {last_entry_id} could not be stored: {reason}")
        self.last_entry_id = last_entry_id
        self.commands = commands
        #: Splits and dividends that were part of it.
        self.attempts = attempts
        self.reason = reason
