import asyncio

import psycopg2
import pytest
from psycopg2.errors import DivisionByZero, RaiseException
from sqlalchemy import Engine, text

from shared.database.line import Line

_STEP = "UPDATE accounts_seen SET count = count + :by"


@pytest.fixture
def counter(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE accounts_seen (count int NOT NULL)"))
        connection.execute(text("INSERT INTO accounts_seen VALUES (0)"))
    return engine


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count FROM accounts_seen")).scalar_one())


async def test_values_arrive_as_they_are_and_rows_come_back(engine: Engine) -> None:
    line = Line(engine)
    told = {"word": 'it\'s 100 % :word \\ "x"', "number": 7, "nothing": None}
    rows = await line.execute(
        "SELECT CAST(:word AS text), :number::int, CAST(:nothing AS text), 7 % 4", told
    )
    assert rows == [(told["word"], 7, None, 3)]
    line.close()


async def test_a_long_message_goes_through(engine: Engine) -> None:
    line = Line(engine)
    rows = await line.execute("SELECT length(:text)", {"text": "x" * 20_000_000})
    assert rows == [(20_000_000,)]
    line.close()


async def test_a_message_is_carried_out_as_a_whole_or_not_at_all(counter: Engine) -> None:
    line = Line(counter)
    await line.execute(f"{_STEP}; {_STEP}", {"by": 2})
    assert count(counter) == 4
    with pytest.raises(DivisionByZero):
        await line.execute(f"{_STEP}; SELECT 1 / 0", {"by": 1})
    with pytest.raises(RaiseException, match="too many"):
        await line.execute(f"{_STEP}; SELECT demand(1 > 2, 'too many'); {_STEP}", {"by": 1})
    with pytest.raises(RaiseException, match="unknown"):
        await line.execute(f"{_STEP}; SELECT demand(NULL, 'unknown')", {"by": 1})
    assert count(counter) == 4
    await line.execute(_STEP, {"by": 1})
    assert count(counter) == 5
    line.close()


async def test_it_connects_again_when_the_server_has_hung_up(counter: Engine) -> None:
    line = Line(counter)
    [(pid,)] = await line.execute("SELECT pg_backend_pid()", {})
    with counter.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    [(another,)] = await line.execute("SELECT pg_backend_pid()", {})
    assert another != pid
    with pytest.raises(psycopg2.Error):
        await line.execute("SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert await line.execute("SELECT 1", {}) == [(1,)]
    line.close()


async def test_what_is_cancelled_answers_nobody_else(counter: Engine) -> None:
    line = Line(counter)
    with counter.begin() as connection:
        connection.execute(text("LOCK accounts_seen"))
        waiting = asyncio.create_task(line.execute(f"{_STEP}; SELECT 'late'", {"by": 1}))
        await asyncio.sleep(0)
        while not _is_waiting(counter):  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await line.execute("SELECT 'mine'", {}) == [("mine",)]
    line.close()


def _is_waiting(engine: Engine) -> bool:
    with engine.connect() as connection:
        wanted = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(connection.execute(text(wanted)).scalar_one())


async def test_a_server_that_is_not_there_is_an_error(engine: Engine) -> None:
    line = Line(engine.execution_options())
    line._parameters["port"] = 1
    with pytest.raises(psycopg2.Error):
        await line.execute("SELECT 1", {})
