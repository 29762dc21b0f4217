from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr, field_validator

from api_gateway.values import Input, UtcTime, View

_Key = Annotated[SecretStr, Field(min_length=1, max_length=256)]


class BrokerKeys(Input):
    broker: Literal["alpaca"]
    key_id: Annotated[_Key, Field(description="As the broker gave it.")]
    secret: Annotated[_Key, Field(description="Kept encrypted, and shown to nobody again.")]

    @field_validator("key_id", "secret")
    @classmethod
    def _goes_into_a_header(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("must be printable ASCII without spaces")
        return value


class BrokerConnectionView(View):
    account_id: UUID
    broker: Literal["alpaca"]
    #: The broker's own number of the account.
    account_number: str
    #: False once it was disconnected: the credentials are gone.
    connected: bool
    connected_at: UtcTime
    disconnected_at: UtcTime | None
