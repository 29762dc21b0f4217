from decimal import Decimal

from pydantic import Field, SecretStr, field_validator

from shared.auth.vault import parse_keys
from shared.config import Settings


class OrderProcessorSettings(Settings):
    order_processor_port: int = Field(default=8003, ge=1, le=65535)
    #: Shards that one process takes at most; the rest is left to others.
    order_processor_max_shards: int = Field(default=256, ge=1, le=256)
    #: Commands that share one commit at most.
    order_batch_commands: int = Field(default=1000, ge=1, le=10_000)
    #: What a market buy reserves above the last price.
    order_reserve_buffer_bps: Decimal = Field(default=Decimal(100), ge=0, le=10_000)
    #: What changing one currency for another costs, and how old its rate may be (a long weekend).
    order_fx_spread_bps: Decimal = Field(default=Decimal(10), ge=0, le=1000)
    order_fx_rate_age_s: int = Field(default=259_200, ge=1, le=31_622_400)
    #: How long a shard's cursors may lag behind when there is nothing else to commit.
    order_cursor_interval_s: float = Field(default=1.0, gt=0, le=60)
    #: How old limits and the platform's kill switch may be in a process.
    order_risk_refresh_s: float = Field(default=0.25, gt=0, le=10)
    #: Sessions of this exchange are what session losses are counted in; `24/7` for UTC days.
    order_risk_session_exchange: str = Field(default="XNYS", min_length=1, max_length=32)
    #: Market time from a margin call to the first order that closes a position.
    order_margin_grace_s: float = Field(default=300.0, ge=0, le=2_678_400)
    #: Positions are closed until equity is so much above the maintenance requirement.
    order_margin_buffer_percent: Decimal = Field(default=Decimal(5), ge=0, le=100)
    #: Least time between two equity marks of an account that no fill asks for.
    order_equity_interval_s: float = Field(default=0.2, gt=0, le=60)
    #: Hour of the day (UTC) from which on the nightly check of the books runs.
    order_books_check_hour: int = Field(default=3, ge=0, le=23)
    #: Events that were published, and notifications, are kept for so many days.
    order_events_keep_days: int = Field(default=30, ge=7, le=3650)
    order_notifications_keep_days: int = Field(default=90, ge=1, le=3650)
    #: After so long the arriving half of a transfer is sent again.
    order_transfer_retry_s: float = Field(default=5.0, gt=0, le=3600)
    #: Keys that brokers' credentials are kept under, as `id:<base64 of 32 bytes>`, separated by
    #: commas: the first one seals, all of them open. Without one no broker can be connected.
    broker_credentials_keys: SecretStr = SecretStr("")
    #: Orders of all accounts connected to Alpaca go here.
    alpaca_url: str = "https://paper-api.alpaca.markets"
    #: How long a broker may take for an answer, and for showing that it knows an account.
    broker_answer_timeout_s: float = Field(default=10.0, gt=0, le=60)
    broker_verify_timeout_s: float = Field(default=5.0, gt=0, le=60)

    #: Whether orders of connected accounts go to their brokers at all.
    live_trading: bool = False
    #: A lost connection to a broker is tried again so often, and so many times.
    broker_reconnect_s: float = Field(default=30.0, gt=0, le=600)
    broker_reconnects: int = Field(default=10, ge=0, le=1000)
    #: An order that waits for the broker's word is asked for so often.
    broker_ask_s: float = Field(default=30.0, gt=0, le=600)
    #: An order that could not be brought to the broker for so long is rejected.
    broker_send_within_s: float = Field(default=60.0, gt=0, le=3600)

    @field_validator("broker_credentials_keys")
    @classmethod
    def are_keys(cls, value: SecretStr) -> SecretStr:
        parse_keys(value.get_secret_value())
        return value

    @field_validator("alpaca_url")
    @classmethod
    def is_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value
