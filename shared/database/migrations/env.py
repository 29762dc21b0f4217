from alembic import context
from sqlalchemy import text

from shared.database.tables import Base

#: Any constant; it names the lock that lets one migration run at a time.
_LOCK_ID = 7_201_936


def run_migrations() -> None:
    engine = context.config.attributes["engine"]
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
            context.run_migrations()
    engine.dispose()


run_migrations()
