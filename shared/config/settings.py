"""Settings that every service reads, from the environment and an optional `.env` file.

A service adds its own by subclassing `Settings`. Every field is an environment variable
of the same name in upper case; `.env.example` lists them all, and a test keeps it true.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

DEVELOPMENT_SECRET = "development-only-not-for-production"  # noqa: S105


class InvalidSettingsError(ValueError):
    """Names each bad setting and what is wrong with it, never its value: it may be a secret."""


class Settings(BaseSettings):
    """What all services share. In production a default secret is refused at start."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Literal["development", "test", "production"] = "development"
    debug: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    bind_host: str = "127.0.0.1"
    drain_timeout_s: float = Field(default=10.0, gt=0, le=300)

    db_host: str = "127.0.0.1"
    db_port: int = Field(default=5432, ge=1, le=65535)
    db_name: str = "trading"
    db_user: str = "postgres"
    db_password: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    db_pool_size: int = Field(default=20, ge=1, le=200)
    db_max_overflow: int = Field(default=10, ge=0, le=200)
    db_pool_timeout_s: float = Field(default=30.0, gt=0, le=300)
    db_pool_recycle_s: int = Field(default=3600, ge=30)
    use_pgbouncer: bool = False
    pgbouncer_host: str = "127.0.0.1"
    pgbouncer_port: int = Field(default=6432, ge=1, le=65535)

    redis_host: str = "127.0.0.1"
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: SecretStr | None = None
    #: The host is a node of a Redis Cluster, which tells of the others.
    redis_cluster: bool = False
    redis_max_connections: int = Field(default=50, ge=4, le=10_000)
    redis_socket_timeout_s: float = Field(default=5.0, gt=0, le=120)

    jwt_secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    internal_token: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    session_timeout_minutes: int = Field(default=30, ge=1, le=43_200)

    order_shards: int = Field(default=4, ge=1, le=256)
    lease_duration_s: float = Field(default=3.0, ge=0.5, le=120)

    #: Where session calendars are kept once built; services of one machine may share it.
    calendar_folder: Path | None = None

    market_data_url: str = "http://127.0.0.1:8002"
    order_processor_url: str = "http://127.0.0.1:8003"
    analytics_url: str = "http://127.0.0.1:8004"
    strategy_workers_url: str = "http://127.0.0.1:8005"

    def __init__(self, **values: Any) -> None:
        """Raises InvalidSettingsError."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidSettingsError(_sentence(error)) from None

    @field_validator("calendar_folder", mode="before")
    @classmethod
    def nothing_is_no_folder(cls, value: object) -> object:
        """Set to nothing it would be the current folder."""
        return value or None

    @model_validator(mode="after")
    def refuse_default_secrets_in_production(self) -> Self:
        if self.environment != "production":
            return self
        for name in ("db_password", "jwt_secret", "internal_token"):
            secret: SecretStr = getattr(self, name)
            if secret.get_secret_value() == DEVELOPMENT_SECRET:
                raise ValueError(f"{name.upper()} must be set in production")
            if name == "jwt_secret" and len(secret.get_secret_value()) < 32:
                raise ValueError("JWT_SECRET must have at least 32 characters in production")
        return self

    @property
    def log_detail(self) -> str:
        """`LOG_LEVEL`, unless `DEBUG` asks for everything."""
        return "DEBUG" if self.debug else self.log_level

    @property
    def database_url(self) -> URL:
        """Through PgBouncer when `USE_PGBOUNCER` says so, else straight to Postgres."""
        host, port = (
            (self.pgbouncer_host, self.pgbouncer_port)
            if self.use_pgbouncer
            else (self.db_host, self.db_port)
        )
        return self._url(host, port)

    @property
    def migrations_url(self) -> URL:
        """Always straight to Postgres: migrations hold locks longer than a pooled transaction."""
        return self._url(self.db_host, self.db_port)

    def _url(self, host: str, port: int) -> URL:
        return URL.create(
            "postgresql+psycopg2",
            username=self.db_user,
            password=self.db_password.get_secret_value(),
            host=host,
            port=port,
            database=self.db_name,
        )


def _sentence(error: ValidationError) -> str:
    """For the last line of a log: it is what `tradectl up` shows."""
    told = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in item["loc"]).upper()
        message = item["msg"].removeprefix("Value error, ")
        told.append(f"{name}: {message}" if name else message)
    return "; ".join(told)
