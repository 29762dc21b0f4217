"""Real servers for the tests: one Postgres and one Valkey a test process, on free ports.

Each test that asks for `settings` gets an empty, migrated database and an empty Valkey.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import Engine

from cli.embedded.servers import Postgres, Valkey, free_port
from shared.config import Settings
from shared.database import make_engine
from shared.database.migrate import upgrade
from shared.redis import make_redis
from tests.databases import Databases
from tests.redis_cluster import ClusterNode, start_cluster

_PASSWORD = "tests-only"
_TEMPLATE = "template_migrated"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and what we start would inherit it: processes
    # that a test interrupts would go on.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user below it
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres]:
    server = Postgres(server_folder / "pg", free_port(), _PASSWORD, durable=False)
    server.start()
    server.create_database(_TEMPLATE)
    upgrade(_settings(server, None, _TEMPLATE))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(server_folder: Path) -> Iterator[Valkey]:
    server = Valkey(server_folder / "valkey", free_port(), _PASSWORD)
    server.start()
    yield server
    server.stop()


def _settings(postgres: Postgres, valkey: Valkey | None, database: str) -> Settings:
    return Settings(
        _env_file=None,
        environment="test",
        db_port=postgres.port,
        db_name=database,
        db_password=SecretStr(_PASSWORD),
        db_pool_size=5,
        redis_port=valkey.port if valkey else 1,
        redis_password=SecretStr(_PASSWORD),
        lease_duration_s=1.0,
    )


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    return Databases(postgres, _PASSWORD, _TEMPLATE)


@pytest.fixture
def settings(databases: Databases, valkey: Valkey) -> Iterator[Settings]:
    """Of an empty database and an empty Valkey."""
    with databases.one() as name:
        valkey.flush()
        yield _settings(databases.server, valkey, name)


@pytest.fixture(scope="session")
def redis_cluster(server_folder: Path) -> Iterator[list[ClusterNode]]:
    """Three nodes, started when a test first asks for them."""
    nodes = start_cluster(server_folder / "cluster", _PASSWORD)
    yield nodes
    for node in nodes:
        node.stop()


@pytest.fixture
def cluster_settings(settings: Settings, redis_cluster: list[ClusterNode]) -> Settings:
    """`settings`, with an empty Redis Cluster in place of the single server."""
    for node in redis_cluster:
        node.flush()
    port = redis_cluster[1].port
    return settings.model_copy(update={"redis_cluster": True, "redis_port": port})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = make_redis(settings)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def calendar_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calendars are built once a test process."""
    return tmp_path_factory.mktemp("calendars")


@pytest.fixture(scope="session")
def market_data_folder() -> Path:
    """Real prints and bars, where they are; a test that needs them skips elsewhere."""
    folder = Path(os.environ.get("MARKET_DATA_SAMPLES", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no market data samples in {folder}")
    return folder
