"""What a batch stores of splits and dividends, beside what they did to the books."""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.models.identifiers import Mode, Symbol


class FailureRecord(msgspec.Struct, frozen=True):
    """It could not be carried out on one set of books."""

    account_id: UUID
    mode: Mode
    action_id: UUID
    attempt: int
    code: str
    reason: str


class LookRecord(msgspec.Struct, frozen=True):
    """The shard has brought it to all of its books that it concerns."""

    action_id: UUID
    attempt: int
    outdated_before: datetime


class Outdated(msgspec.Struct, frozen=True):
    """Deployments that trade the symbol since before a split can't go on."""

    action_id: UUID
    symbol: Symbol
    before: datetime
    why: str


class Seen(msgspec.Struct):
    """By one set of books."""

    done: set[UUID] = set()
    #: By action; those that were carried out later are among them.
    failed: dict[UUID, FailureRecord] = {}


class ActionBatch:
    def __init__(self) -> None:
        self.failures: list[FailureRecord] = []
        self.looks: list[LookRecord] = []
        self.outdated: list[Outdated] = []

    def __bool__(self) -> bool:
        return bool(self.failures or self.looks or self.outdated)
