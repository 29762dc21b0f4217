"""Settings of the market data engine."""

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.config import Settings
from shared.market_files.lines import is_symbol

LiveFeedName = Literal["alpaca", "ccxt", "finnhub"]
HistoryProviderName = Literal["alpaca", "yahoo"]


def parse_live_feeds(text: str) -> dict[LiveFeedName, list[str]]:
    """`alpaca:AAPL,MSFT; ccxt:BTC/USDT` by feed. ValueError says what is wrong."""
    found: dict[LiveFeedName, list[str]] = {}
    everywhere: set[str] = set()
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, listed = part.partition(":")
        feed = next((one for one in get_args(LiveFeedName) if one == name.strip()), None)
        if feed is None:
            known = ", ".join(get_args(LiveFeedName))
            raise ValueError(f"{name.strip()!r} is no feed; these are: {known}")
        if feed in found:
            raise ValueError(f"{feed} is named twice")
        symbols = [symbol.strip() for symbol in listed.split(",")]
        for symbol in symbols:
            if not is_symbol(symbol):
                raise ValueError(f"{symbol!r} is no symbol")
            if symbol in everywhere:
                raise ValueError(f"{symbol} is named twice; a symbol comes from one feed")
            everywhere.add(symbol)
        found[feed] = symbols
    return found


def parse_history_providers(text: str) -> list[HistoryProviderName]:
    """`alpaca,yahoo`. ValueError says what is wrong."""
    found: list[HistoryProviderName] = []
    for piece in filter(None, (part.strip() for part in text.split(","))):
        name = next((one for one in get_args(HistoryProviderName) if one == piece), None)
        if name is None:
            known = ", ".join(get_args(HistoryProviderName))
            raise ValueError(f"{piece!r} is no provider; these are: {known}")
        if name in found:
            raise ValueError(f"{name} is named twice")
        found.append(name)
    return found


class MarketDataSettings(Settings):
    market_data_port: int = Field(default=8002, ge=1, le=65535)
    #: Uploaded files live here.
    market_data_folder: Path = Path(".data/market")
    #: `replay` is idle until a run is asked for; from its start on `simulated` carries a synthetic
    #: market in real time, `live` the market that `live_feeds` tell of.
    market_data_mode: Literal["live", "replay", "simulated"] = "replay"
    #: Each feed and its symbols: `alpaca:AAPL,MSFT; ccxt:BTC/USDT`.
    live_feeds: str = ""
    #: Market time is so far behind the wall clock: prints that come later are late.
    live_grace_ms: int = Field(default=500, ge=0, le=1500)
    #: Prints that come late by no more than this, and corrections of what is no older, amend
    #: completed candles. So long prints are kept in memory.
    late_grace_s: float = Field(default=60.0, ge=0, le=3600)
    feed_timeout_s: float = Field(default=10.0, gt=0, le=120)
    #: Strategies wait for a feed from which nothing has come for so long: two small candles.
    feed_stale_s: float = Field(default=120.0, ge=1, le=86_400)
    alpaca_stream_url: str = "wss://stream.data.alpaca.markets/v2/iex"
    alpaca_data_key_id: SecretStr | None = None
    alpaca_data_secret_key: SecretStr | None = None
    finnhub_stream_url: str = "wss://ws.finnhub.io"
    finnhub_token: SecretStr | None = None
    #: CCXT's name of the exchange that `ccxt` follows: `kraken`, `binance`, ….
    ccxt_exchange: str | None = Field(default=None, pattern=r"^[a-z0-9]+$")
    #: Stands in for scheme and host of all that the exchange serves.
    ccxt_url: str | None = None
    #: Between two questions for trades, where the exchange has no stream of them.
    ccxt_poll_s: float = Field(default=1.0, ge=0.1, le=60)
    #: Providers that are asked for what is missing: `alpaca,yahoo`. With none nothing is fetched.
    history_providers: str = ""
    #: Gaps are looked for so far back.
    gap_lookback_h: float = Field(default=72.0, gt=0, le=720)
    alpaca_history_url: str = "https://data.alpaca.markets"
    alpaca_history_feed: Literal["iex", "sip"] = "iex"
    yahoo_history_url: str = "https://query1.finance.yahoo.com"
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
    #: Frames of forming candles of all symbols and timeframes: beyond, symbols take turns.
    forming_frames_most_per_s: int = Field(default=20_000, ge=9)
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

    @field_validator("ccxt_exchange", "ccxt_url", mode="before")
    @classmethod
    def nothing_is_no_exchange(cls, value: object) -> object:
        return value or None

    @field_validator("live_feeds")
    @classmethod
    def known_feeds(cls, text: str) -> str:
        parse_live_feeds(text)
        return text

    @field_validator("history_providers")
    @classmethod
    def known_providers(cls, text: str) -> str:
        parse_history_providers(text)
        return text

    def history_names(self) -> list[HistoryProviderName]:
        return parse_history_providers(self.history_providers)

    def live_symbols(self) -> dict[LiveFeedName, list[str]]:
        """By feed."""
        return parse_live_feeds(self.live_feeds)

    @model_validator(mode="after")
    def require_feeds_in_live_mode(self) -> Self:
        if self.market_data_mode == "live" and not self.live_symbols():
            raise ValueError("LIVE_FEEDS must name a feed and its symbols in live mode")
        return self

    @model_validator(mode="after")
    def require_a_token_in_production(self) -> Self:
        open_to_all = self.candle_store == "influxdb" and self.influxdb_token is None
        if self.environment == "production" and open_to_all:
            raise ValueError("INFLUXDB_TOKEN must be set in production")
        return self
