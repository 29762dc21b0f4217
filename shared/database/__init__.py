from shared.database.engine import DatabaseThread, make_engine

__all__ = ["DatabaseThread", "make_engine"]
