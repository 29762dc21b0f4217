from shared.config.settings import DEVELOPMENT_SECRET, InvalidSettingsError, Settings

__all__ = ["DEVELOPMENT_SECRET", "InvalidSettingsError", "Settings"]
