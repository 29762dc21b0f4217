"""What people do with symbol mappings: upload, look, remove, load a set."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Engine

from market_data_engine.csv_rows import TableError, at_line
from market_data_engine.errors import Refused
from market_data_engine.instruments import repository as instruments
from market_data_engine.mappings import repository
from market_data_engine.mappings.schemas import (
    Mapping,
    MappingList,
    MissingMappingList,
    SetLoaded,
    Uploaded,
)
from market_data_engine.mappings.sets import SETS
from market_data_engine.mappings.table import as_table, read_mappings


class Mappings:
    """Blocking. `parties`: brokers and providers that symbols can be mapped for."""

    def __init__(self, engine: Engine, parties: Collection[str]) -> None:
        self._engine = engine
        self._parties = parties

    def upload(self, content: bytes, by: str) -> Uploaded:
        """All of it or nothing; what isn't named stays. Raises TableError."""
        read = read_mappings(content, self._parties)
        with self._engine.begin() as connection:
            repository.lock(connection)
            unknown = repository.unknown_symbols(connection, [one.symbol for _, one in read])
            faults = [
                at_line(line, f"{one.symbol} is in no catalogue.")
                for line, one in read
                if one.symbol in unknown
            ]
            there = repository.of_parties(connection, sorted({one.party for _, one in read}))
            faults += _taken(read, there)
            if faults:
                raise TableError(faults)
            return _put(connection, [one for _, one in read], there, by)

    def page(
        self, party: str | None, query: str, cursor: str | None, limit: int
    ) -> MappingList | Refused:
        after = _position(cursor)
        if isinstance(after, Refused):
            return after
        with self._engine.connect() as connection:
            found = repository.search(connection, party, query, after, limit + 1)
        items = found[:limit]
        return MappingList(items=items, next_cursor=_cursor(items, more=len(found) > limit))

    def table(self, party: str | None, query: str) -> str:
        """All that match, as CSV."""
        with self._engine.connect() as connection:
            return as_table(repository.search(connection, party, query, ("", ""), None))

    def missing(
        self, party: str | None, cursor: str | None, limit: int
    ) -> MissingMappingList | Refused:
        after = _position(cursor)
        if isinstance(after, Refused):
            return after
        with self._engine.connect() as connection:
            found = repository.missing(connection, party, after, limit + 1)
        items = found[:limit]
        return MissingMappingList(items=items, next_cursor=_cursor(items, more=len(found) > limit))

    def remove(self, party: str, symbol: str) -> bool:
        with self._engine.begin() as connection:
            return repository.remove(connection, party, symbol)

    def load(self, name: str, by: str) -> SetLoaded | None:
        """The set's instruments and mappings that aren't there yet; None when there is no such
        set. What somebody has described or mapped stays."""
        found = SETS.get(name)
        if found is None:
            return None
        described, mappings = found()
        with self._engine.begin() as connection:
            repository.lock(connection)
            new = repository.unknown_symbols(connection, [one.symbol for one in described])
            instruments.add_unknown(connection, described)
            there = repository.of_parties(connection, sorted({one.party for one in mappings}))
            keys = {(one.party, one.symbol) for one in there}
            names = {(one.party, one.token) for one in there}
            wanted = [
                one
                for one in mappings
                if (one.party, one.symbol) not in keys and (one.party, one.token) not in names
            ]
            done = _put(connection, wanted, there, by)
        kept = len(mappings) - done.added
        return SetLoaded(instruments=len(new), added=done.added, changed=0, unchanged=kept)


def _put(
    connection: Connection, wanted: Sequence[Mapping], there: Sequence[Mapping], by: str
) -> Uploaded:
    before = {(one.party, one.symbol): one for one in there}
    same = [one for one in wanted if before.get((one.party, one.symbol)) == one]
    others = [one for one in wanted if before.get((one.party, one.symbol)) != one]
    repository.replace(connection, others, by)
    changed = sum((one.party, one.symbol) in before for one in others)
    return Uploaded(added=len(others) - changed, changed=changed, unchanged=len(same))


def _taken(read: Sequence[tuple[int, Mapping]], there: Sequence[Mapping]) -> list[str]:
    """Names that belong to symbols which the upload leaves alone."""
    named = {(one.party, one.symbol) for _, one in read}
    held = {(o.party, o.token): o.symbol for o in there if (o.party, o.symbol) not in named}
    return [
        at_line(line, f"{one.token} of {one.party} is {held[(one.party, one.token)]} already.")
        for line, one in read
        if (one.party, one.token) in held
    ]


def _position(cursor: str | None) -> tuple[str, str] | Refused:
    if cursor is None:
        return "", ""
    party, mark, symbol = cursor.partition(":")
    if not mark:
        return Refused("invalid_cursor", "The cursor is none of ours.")
    return symbol, party


def _cursor(items: Sequence[object], *, more: bool) -> str | None:
    last = items[-1] if items and more else None
    return None if last is None else f"{last.party}:{last.symbol}"  # type: ignore[attr-defined]
