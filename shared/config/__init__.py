from shared.config.settings import DEVELOPMENT_SECRET, Settings

__all__ = ["DEVELOPMENT_SECRET", "Settings"]
