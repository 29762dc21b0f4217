"""All strategies: those of the library, and what users uploaded and an admin approved."""

from functools import lru_cache

import msgspec
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import StrategyVersionRow
from strategy_workers.library import Catalogue
from strategy_workers.library.catalogue import Chosen
from strategy_workers.sandbox.frames import Manifest
from strategy_workers.sandbox.process import Limits
from strategy_workers.sandbox.strategy import sandboxed
from strategy_workers.sdk import Strategy
from strategy_workers.uploads import repository

#: Classes that are kept; a version's code never changes.
_KEPT = 256

_files = msgspec.msgpack.Decoder(dict[str, bytes])


class AllStrategies(Catalogue):
    def __init__(self, engine: Engine, library: Catalogue, limits: Limits) -> None:
        super().__init__(library.all(), library.packages, library.broken)
        self._engine = engine
        self._limits = limits
        self._uploaded = lru_cache(_KEPT)(self._load)

    def offered(self) -> list[Chosen]:
        with Session(self._engine) as session:
            uploaded = [
                Chosen(class_of(row, self._limits), row.version)
                for row in repository.all_approved(session)
            ]
        return sorted([*super().offered(), *uploaded], key=lambda one: one.strategy.name)

    def choose(self, name: str, version: int | None = None) -> Chosen | None:
        """Library names are taken, so that an upload never stands in for one of them."""
        if version is None and (known := super().choose(name)) is not None:
            return known
        with Session(self._engine) as session:
            if version is None:
                row = repository.newest_approved(session, name)
            else:
                row = repository.find(session, name, version)
            if row is None or row.status != "approved":
                return None
            return Chosen(class_of(row, self._limits), row.version)

    def find(self, name: str, version: int | None = None) -> type[Strategy] | None:
        return super().find(name) if version is None else self._uploaded(name, version)

    def _load(self, name: str, version: int) -> type[Strategy] | None:
        with Session(self._engine) as session:
            row = repository.find(session, name, version)
            return None if row is None else class_of(row, self._limits)


def class_of(row: StrategyVersionRow, limits: Limits) -> type[Strategy]:
    return sandboxed(*code_of(row), limits)


def code_of(row: StrategyVersionRow) -> tuple[Manifest, dict[str, bytes]]:
    return msgspec.convert(row.manifest, Manifest), _files.decode(row.files)
