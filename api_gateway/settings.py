import re
from typing import Annotated, Self

from pydantic import AnyWebsocketUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from api_gateway.identity.passwords import weaknesses
from api_gateway.identity.schemas import is_email, is_username
from shared.config import Settings


class GatewaySettings(Settings):
    api_gateway_port: int = Field(default=8000, ge=1, le=65535)

    #: What `GET /config` tells clients; derived from the request's host and this port when unset.
    websocket_public_url: AnyWebsocketUrl | None = None
    websocket_port: int = Field(default=8001, ge=1, le=65535)
    #: Origins of other sites whose pages may call the API, separated by commas.
    cors_allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()

    jwt_access_token_minutes: int = Field(default=15, ge=1, le=1440)
    #: How long this process goes by what it last read of a session and of an account's owner:
    #: a logout at another gateway takes effect here after at most this time.
    session_recheck_s: float = Field(default=1.0, ge=0, le=60)
    #: bcrypt's cost: each step doubles the time a guess takes.
    password_hash_rounds: int = Field(default=12, ge=4, le=16)

    #: The first admin, made at start when there is none yet. Set both or neither.
    admin_email: str | None = None
    admin_username: str = "admin"
    admin_password: SecretStr | None = None

    order_answer_timeout_s: float = Field(default=5.0, gt=0, le=60)
    upstream_timeout_s: float = Field(default=15.0, gt=0, le=120)
    #: From the last byte of an uploaded file to the verdict on its contents.
    upload_timeout_s: float = Field(default=300.0, gt=0, le=3600)
    #: Strategies that a user may upload in a minute: each is tried for some seconds.
    strategy_uploads_per_minute: int = Field(default=6, ge=1, le=1000)

    @field_validator("cors_allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [origin.strip() for origin in value.split(",") if origin.strip()]

    @field_validator("cors_allowed_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            # Browsers send it so; anything else would never match, and `*` would let everybody in.
            if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin):
                raise ValueError(f"{origin} is not an origin such as https://desk.example")
        return origins

    @field_validator("websocket_public_url", "admin_email", "admin_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _check_first_admin(self) -> Self:
        if self.admin_email is None and self.admin_password is None:
            return self
        if self.admin_email is None or self.admin_password is None:
            raise ValueError("set both ADMIN_EMAIL and ADMIN_PASSWORD, or neither")
        if not is_email(self.admin_email):
            raise ValueError("ADMIN_EMAIL is not an e-mail address")
        if not is_username(self.admin_username):
            raise ValueError("ADMIN_USERNAME must be 3 to 32 letters, digits, '_', '.' or '-'")
        weak = weaknesses(self.admin_password.get_secret_value())
        if weak:
            raise ValueError(f"ADMIN_PASSWORD {'; '.join(weak)}")
        return self
