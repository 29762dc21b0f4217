from strategy_workers.library.catalogue import LIBRARY, Catalogue

__all__ = ["LIBRARY", "Catalogue"]
