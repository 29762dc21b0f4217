"""Settings of the market data engine."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.config import Settings


class MarketDataSettings(Settings):
    market_data_port: int = Field(default=8002, ge=1, le=65535)
    #: Uploaded files live here.
    market_data_folder: Path = Path(".data/market")
    #: `replay` is idle until a run is asked for; `simulated` carries a synthetic market in real
    #: time from its start.
    market_data_mode: Literal["replay", "simulated"] = "replay"
    simulated_symbols: str = "SIM-TREND,SIM-RANGE"
    simulated_trades_per_minute: int = Field(default=120, ge=1, le=10_000)
    simulated_seed: int = 1

    market_file_max_bytes: int = Field(default=256 << 20, ge=1024)
    market_file_max_rows: int = Field(default=100_000_000, ge=1)

    #: Prints after which a slice ends before its minute does.
    slice_max_trades: int = Field(default=5000, ge=1, le=100_000)
    #: Marks that a pacing client may lag behind.
    observer_lag_marks: int = Field(default=16, ge=0, le=10_000)
    #: Forming candles of one symbol go out at most this often, in wall time.
    forming_frames_per_s: float = Field(default=4.0, gt=0, le=100)
    #: Where completed candles are kept for good.
    candle_store: Literal["postgres", "influxdb"] = "postgres"
    influxdb_url: str = "http://127.0.0.1:8086"
    influxdb_token: SecretStr | None = None
    influxdb_org: str = "trading"
    #: A bucket of 2.x, a database of 1.x and 3.x. It keeps what it is given for good.
    influxdb_bucket: str = "candles"
    influxdb_timeout_s: float = Field(default=10.0, gt=0, le=120)
    #: Completed candles that may wait for the store, on disk; beyond, the run waits.
    candle_queue_size: int = Field(default=1_000_000, ge=100)
    #: Entries that the tape of a run keeps that nobody paces (about).
    live_tape_entries: int = Field(default=20_000, ge=100)

    @model_validator(mode="after")
    def require_a_token_in_production(self) -> Self:
        open_to_all = self.candle_store == "influxdb" and self.influxdb_token is None
        if self.environment == "production" and open_to_all:
            raise ValueError("INFLUXDB_TOKEN must be set in production")
        return self
