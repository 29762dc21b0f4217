"""What there is to do, as Postgres knows it."""

from sqlalchemy import Engine, text

from strategy_workers.launchers.need import Load

_LOAD = text(
    """
    SELECT (SELECT count(*) FROM deployments
             WHERE wanted = 'running' AND status <> 'stopped' AND hold IS NULL),
           (SELECT count(*) FROM backtests WHERE status IN ('waiting', 'running'))
    """
)


def load_of(engine: Engine) -> Load:
    with engine.connect() as connection:
        deployments, backtests = connection.execute(_LOAD).one()
    return Load(deployments, backtests)
