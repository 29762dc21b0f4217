"""Settings of the analytics service."""

from pydantic import Field

from shared.config import Settings


class AnalyticsSettings(Settings):
    analytics_port: int = Field(default=8004, ge=1, le=65535)
    #: Candles that one answer may take into account; a longer range needs a larger timeframe.
    analytics_max_candles: int = Field(default=500_000, ge=1000, le=10_000_000)
