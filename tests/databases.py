"""Databases for tests, each as the migrations leave it."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg2
from psycopg2.extensions import connection

from cli.embedded.servers import Postgres

#: A database that has grown by more is dropped, since emptying it takes longer.
_MOST_GROWTH_BYTES = 8_000_000
_KEPT_TABLE = "alembic_version"
#: A closed session takes a moment to end.
_SESSIONS_END_S = 0.3

_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
"""
#: Changes with each table, column, constraint, trigger, function and setting.
_SCHEMA = """
    SELECT md5(string_agg(fact, ',' ORDER BY fact)) FROM (
        SELECT concat_ws(' ', oid, relname, relkind, relnatts, relchecks, reloptions) AS fact
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', 'constraint', oid, xmin) FROM pg_constraint
        UNION ALL SELECT concat_ws(' ', 'trigger', oid, xmin) FROM pg_trigger
        UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, xmin) FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        UNION ALL SELECT concat_ws(' ', 'settings', setdatabase, xmin) FROM pg_db_role_setting
    ) AS facts
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SEQUENCES = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""


@dataclass
class _Database:
    name: str
    #: Kept, since a new one would have to learn the tables first.
    session: connection
    schema: object = None


@dataclass
class Databases:
    """Copies of a template. Most tests leave nothing behind but rows: then the next one gets the
    same copy, emptied, which takes a tenth of the time of a new one."""

    server: Postgres
    password: str
    template: str
    _spare: _Database | None = None

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """The name of an empty database."""
        database, self._spare = self._spare or self._made(), None
        yield database.name
        if self._emptied(database):
            self._spare = database
        else:
            database.session.close()
            self.server.drop_database(database.name)

    def _made(self) -> _Database:
        name = f"test_{uuid4().hex[:12]}"
        self.server.create_database(name, template=self.template)
        session = psycopg2.connect(
            host="127.0.0.1",
            port=self.server.port,
            user="postgres",
            password=self.password,
            dbname=name,
            connect_timeout=10,
        )
        session.autocommit = True
        return _Database(name, session, _value(session, _SCHEMA))

    def _emptied(self, database: _Database) -> bool:
        """False when a test left more than rows: a session that could still write, a changed
        schema, or very many rows; or when it ended all sessions, ours too."""
        session = database.session
        grown = f"SELECT pg_database_size('{database.name}') - pg_database_size('{self.template}')"
        try:
            deadline = time.monotonic() + _SESSIONS_END_S
            while _value(session, _SESSIONS):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.002)
            if _value(session, _SCHEMA) != database.schema:
                return False
            if int(str(_value(session, grown))) > _MOST_GROWTH_BYTES:
                return False
            _empty(session)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False
        return True


def _empty(session: connection) -> None:
    with session.cursor() as at:
        at.execute(_TABLES)
        tables = [name for (name,) in at.fetchall() if name != _KEPT_TABLE]
        at.execute("SELECT " + ", ".join(f'EXISTS (SELECT FROM "{name}")' for name in tables))
        [filled] = at.fetchall()
        used = [f'"{name}"' for name, has_rows in zip(tables, filled, strict=True) if has_rows]
        if used:
            # Foreign keys and triggers keep rows from being deleted in any order, or at all.
            deletions = ";".join(f"DELETE FROM {name}" for name in used)
            at.execute(f"SET session_replication_role = replica;{deletions}")
            # So that rows lie in the order of their insertion again, as in a new table.
            at.execute("VACUUM " + ", ".join(used))
        at.execute(_SEQUENCES)


def _value(session: connection, query: str) -> object:
    with session.cursor() as at:
        at.execute(query)
        [(value,)] = at.fetchall()
    return value
