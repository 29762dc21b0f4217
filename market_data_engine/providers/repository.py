"""Versions of the market data configuration in Postgres. Nothing here commits."""

from sqlalchemy import Connection, insert, select

from market_data_engine.providers.configuration import Configuration, Versioned
from shared.database.tables import MarketDataConfigurationRow, utc_now

_TABLE = MarketDataConfigurationRow.__table__


def newest(connection: Connection) -> Versioned | None:
    row = connection.execute(
        select(_TABLE.c.version, _TABLE.c.configuration).order_by(_TABLE.c.version.desc()).limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Versioned(row.version, Configuration.model_validate(row.configuration))


def add(connection: Connection, versioned: Versioned, requested_by: str) -> None:
    """IntegrityError when that version is there already."""
    connection.execute(
        insert(MarketDataConfigurationRow).values(
            version=versioned.version,
            configuration=versioned.configuration.model_dump(mode="json"),
            requested_by=requested_by,
            created_at=utc_now(),
        )
    )
