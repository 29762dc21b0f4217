"""Live trading is tried on the same servers as paper trading."""

from tests.order_processor.conftest import processes, requests

__all__ = ["processes", "requests"]
