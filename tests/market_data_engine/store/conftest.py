from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from market_data_engine.store.influxdb import InfluxCandleStore
from tests.market_data_engine.store.servers import InfluxDB, program


@pytest.fixture(scope="session")
def influxdb(server_folder: Path) -> Iterator[InfluxDB]:
    missing = [name for name in ("influxd", "nginx") if program(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} here: tests/influxdb.sh says why")
    server = InfluxDB(server_folder / "influxdb")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(influxdb: InfluxDB) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    influxdb.create_database(name)
    yield name
    influxdb.drop_database(name)


@pytest.fixture
def influx_store(influxdb: InfluxDB, bucket: str) -> Iterator[InfluxCandleStore]:
    store = InfluxCandleStore(influxdb.url, "tests-only", "trading", bucket, 10.0)
    yield store
    store.close()
