"""A run that is made again: when the deployment was there, and what was changed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from strategy_workers.runtime.deployment import Deployment
from strategy_workers.sdk import Strategy

if TYPE_CHECKING:
    from shared.trading.paper_terms import PaperTerms
    from strategy_workers.backtests.stage import Stage


@dataclass(frozen=True)
class NewVersion:
    """From the first mark after `at_ns` on it decided with these."""

    at_ns: int
    strategy: type[Strategy]
    #: As `parse_parameters` returned them.
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Attendance:
    """Market times. Known for runs from trades only."""

    #: It decides at marks after this.
    from_ns: int = 0
    #: It stopped after this mark; None: it didn't.
    until_ns: int | None = None
    #: In the order of time.
    versions: tuple[NewVersion, ...] = ()
    #: The account's terms of orders at this time and later, in the order of time.
    terms: tuple[tuple[int, PaperTerms], ...] = ()


class Presence:
    """Keeps a stage to its plan's attendance."""

    def __init__(self, stage: Stage, attendance: Attendance) -> None:
        self._stage = stage
        self._from_ns = attendance.from_ns
        self._until_ns = attendance.until_ns
        self._versions = list(attendance.versions)
        self._terms = list(attendance.terms)

    def decides(self, at_ns: int) -> bool:
        """What was changed up to here is; whether it decides at the mark. Raises HookError."""
        books = self._stage.account.books
        while self._terms and self._terms[0][0] <= at_ns:
            books.account = msgspec.structs.replace(books.account, paper=self._terms.pop(0)[1])
        while self._versions and self._versions[0].at_ns < at_ns:
            self._take(self._versions.pop(0))
        return at_ns > self._from_ns

    def stops(self, at_ns: int) -> bool:
        """Was this its last mark?"""
        return self._until_ns is not None and at_ns >= self._until_ns

    def _take(self, version: NewVersion) -> None:
        old = self._stage.deployment
        record = replace(
            old.record, parameters=version.strategy.encode_parameters(version.parameters)
        )
        new = Deployment(record, version.strategy)
        new.inherit(old)
        new.market.warm = True
        self._stage.deployment = new
