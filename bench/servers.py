"""Servers of the benchmark's own, and services on them, as an operator starts them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cli.embedded.processes import start_child, stop_child
from cli.embedded.servers import Postgres, Valkey, free_port
from shared.config import Settings
from shared.database import make_engine
from shared.database.migrate import upgrade
from shared.database.tables import AccountRow, InstrumentRow, UserRow
from shared.models.identifiers import AccountId
from shared.trading.paper_terms import FREE, paper_terms_document

_PASSWORD = "bench-only"
_DATABASE = "trading"
_START_TIMEOUT_S = 60.0


@dataclass
class Servers:
    folder: Path
    postgres: Postgres
    valkey: Valkey
    #: For services that are started from now on.
    more_environment: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "ENVIRONMENT": "test",
            "DB_PORT": str(self.postgres.port),
            "DB_NAME": _DATABASE,
            "DB_PASSWORD": _PASSWORD,
            "REDIS_PORT": str(self.valkey.port),
            "REDIS_PASSWORD": _PASSWORD,
            "CALENDAR_FOLDER": str(self.folder / "calendars"),
            "MARKET_DATA_FOLDER": str(self.folder / "market"),
            **self.more_environment,
        }

    def settings(self) -> Settings:
        return Settings(
            _env_file=None,
            environment="test",
            db_port=self.postgres.port,
            db_name=_DATABASE,
            db_password=SecretStr(_PASSWORD),
            redis_port=self.valkey.port,
            redis_password=SecretStr(_PASSWORD),
        )

    @contextlib.contextmanager
    def service(self, module: str, port_setting: str, *arguments: str) -> Iterator[tuple[int, int]]:
        """`python -m <module>`, once it is ready: its process id and its port."""
        port = free_port()
        process = start_child(
            [sys.executable, "-m", module, *arguments],
            log=self.folder / f"{module}.log",
            on_parent_death=signal.SIGTERM,
            environment=self.environment | {port_setting: str(port)},
        )
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}/health/ready")
            yield process.pid, port
        finally:
            stop_child(process, signal.SIGTERM, timeout_s=20)


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user below it
    postgres = Postgres(folder / "pg", free_port(), _PASSWORD)
    valkey = Valkey(folder / "valkey", free_port(), _PASSWORD)
    try:
        postgres.start()
        valkey.start()
        postgres.create_database(_DATABASE)
        yield Servers(folder, postgres, valkey)
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def market(accounts: int) -> Iterator[tuple[Servers, Engine, list[AccountId]]]:
    """Migrated servers, an instrument `SPY`, and accounts of one trader with money for all."""
    with servers() as running:
        upgrade(running.settings())
        engine = make_engine(running.settings())
        try:
            yield running, engine, _open_accounts(engine, accounts)
        finally:
            engine.dispose()


def _open_accounts(engine: Engine, count: int) -> list[AccountId]:
    with Session(engine) as session, session.begin():
        session.add(
            InstrumentRow(
                symbol="SPY",
                name="SPY",
                exchange="XNYS",
                currency="USD",
                tick_size=Decimal("0.01"),
                lot_size=Decimal(1),
                tradable=True,
            )
        )
        trader = UserRow(
            email="trader@example.com", username="trader", password_hash="-", role="trader"
        )
        session.add(trader)
        session.flush()
        rows = [
            AccountRow(
                owner_id=trader.id,
                name=uuid4().hex[:12],
                base_currency="USD",
                status="active",
                paper_capital=Decimal(10**9),
                paper_terms=paper_terms_document(FREE),
            )
            for _ in range(count)
        ]
        session.add_all(rows)
        session.flush()
        return [AccountId(row.id) for row in rows]


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (OSError, urllib.error.HTTPError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} did not become ready") from error
        time.sleep(0.02)


def percentile_ms(seconds: Sequence[float], fraction: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] * 1000
