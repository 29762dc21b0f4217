import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from redis import Redis

from cli.embedded.homes import PostgresHome, open_to_all, postgres_home
from cli.embedded.servers import Postgres, ServerStartError, Valkey, free_port


@pytest.fixture
def open_folder(server_folder: Path) -> Path:
    """A fresh folder that the user of Postgres can reach."""
    folder = server_folder / os.urandom(4).hex()
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def own_postgres(open_folder: Path) -> Iterator[Postgres]:
    server = Postgres(open_folder / "pg", free_port(), "secret")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_valkey(open_folder: Path) -> Iterator[Valkey]:
    server = Valkey(open_folder / "valkey", free_port(), "secret")
    server.start()
    yield server
    server.stop()


def _connect(server: Postgres) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        host="127.0.0.1", port=server.port, user="postgres", password="secret", dbname="books"
    )


def _kill(server: Postgres | Valkey) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


def test_what_postgres_committed_survives_kill_9(own_postgres: Postgres) -> None:
    own_postgres.create_database("books")
    with _connect(own_postgres) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE entries (id int)")
        cursor.execute("INSERT INTO entries SELECT generate_series(1, 1000)")
    connection.close()
    _kill(own_postgres)
    own_postgres.start()
    with _connect(own_postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM entries")
        assert cursor.fetchone() == (1000,)
    connection.close()


def test_what_valkey_answered_survives_kill_9(own_valkey: Valkey) -> None:
    with Redis(port=own_valkey.port, password="secret") as client:
        for number in range(100):
            client.xadd("stream", {"n": number})
    _kill(own_valkey)
    own_valkey.start()
    with Redis(port=own_valkey.port, password="secret") as client:
        assert client.xlen("stream") == 100


def test_the_servers_let_nobody_in_without_the_password(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=own_postgres.port, user="postgres", password="wrong"
        )
    wrong = Valkey(own_valkey.folder, own_valkey.port, "wrong")
    assert not wrong.answers()
    config = own_valkey.folder / "valkey.conf"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_pid_file_whose_number_went_to_another_process_does_not_stop_postgres(
    own_postgres: Postgres,
) -> None:
    _kill(own_postgres)
    pid_file = own_postgres.folder / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    own_postgres.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    own_postgres.start()
    assert own_postgres.answers()


def test_a_cluster_that_was_half_made_is_made_anew(open_folder: Path) -> None:
    unfinished = open_folder / "pg.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = Postgres(open_folder / "pg", free_port(), "secret", durable=False)
    server.start()
    server.stop()
    assert not unfinished.exists()


def test_a_taken_port_is_one_clear_sentence(own_valkey: Valkey, open_folder: Path) -> None:
    second = Valkey(open_folder / "second", own_valkey.port, "other")
    with pytest.raises(ServerStartError, match=r"Valkey ended at its start; see .*valkey\.log"):
        second.start()


def test_a_databases_revision_is_none_before_the_first_migration(own_postgres: Postgres) -> None:
    own_postgres.create_database("books")
    assert own_postgres.schema_revision("books") is None


# --- where Postgres lives --------------------------------------------------------------------


def test_the_data_folder_is_postgres_home_when_it_can_be_reached(open_folder: Path) -> None:
    home = postgres_home(open_folder)
    assert home.data == open_folder / "pg"
    assert home.reason is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")
def test_below_a_private_folder_roots_postgres_goes_to_the_fallback_and_runs_there(
    open_folder: Path,
) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    home = postgres_home(data, fallback=open_folder / "fallback")
    assert not open_to_all(data)
    assert home.data.is_relative_to(open_folder / "fallback")
    assert home.reason is not None
    assert home == postgres_home(data, fallback=open_folder / "fallback")
    server = Postgres(home.data, free_port(), "secret", durable=False, log_folder=private)
    server.start()
    server.stop()


@pytest.mark.skipif(os.geteuid() == 0, reason="root's Postgres is another user's")
def test_an_ordinary_users_postgres_always_lives_in_the_data_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    assert postgres_home(private) == PostgresHome(private / "pg", None, None)
