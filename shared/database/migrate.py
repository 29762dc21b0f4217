"""Bring the schema to the newest revision: `python -m shared.database.migrate`.

Several starters may run it at once: an advisory lock inside the transaction lets one work
while the others wait and then find nothing to do. It goes straight to Postgres, never
through PgBouncer.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from shared.config import Settings

_MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(settings: Settings) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = create_engine(settings.migrations_url)
    return config


def upgrade(settings: Settings, revision: str = "head") -> None:
    command.upgrade(alembic_config(settings), revision)


def downgrade(settings: Settings, revision: str) -> None:
    command.downgrade(alembic_config(settings), revision)


def main() -> int:
    try:
        upgrade(Settings())
    except OperationalError as error:
        print(f"migrate: can't reach the database: {error.orig}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
