import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from api_gateway.identity.passwords import MAX_BYTES, MIN_CHARACTERS, weaknesses
from api_gateway.values import Input, Phrase, UtcTime, View

#: What mail servers accept in practice. Deliberately ASCII: two addresses that look alike must
#: not be two users.
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_USERNAME = r"^[A-Za-z0-9_.-]{3,32}$"


def is_email(text: str) -> bool:
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_username(text: str) -> bool:
    return re.fullmatch(_USERNAME, text) is not None


def _email(text: str) -> str:
    if not is_email(text):
        raise ValueError("is not an e-mail address")
    return text


def _strong(password: str) -> str:
    weak = weaknesses(password)
    if weak:
        raise ValueError("; ".join(weak))
    return password


class Registration(Input):
    email: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=254),
        AfterValidator(_email),
        Field(examples=["ada@example.com"], json_schema_extra={"format": "email"}),
    ]
    username: Annotated[str, StringConstraints(pattern=_USERNAME), Field(examples=["ada"])]
    password: Annotated[
        str,
        StringConstraints(min_length=MIN_CHARACTERS, max_length=MAX_BYTES),
        AfterValidator(_strong),
        Field(
            description="With an upper-case letter, a digit and a special character.",
            examples=["Correct-horse-7"],
        ),
    ]
    role: Literal["trader", "investor"] = "trader"


class Credentials(Input):
    login: Annotated[Phrase, Field(description="E-mail or username.", examples=["ada"])]
    password: Annotated[
        str, StringConstraints(max_length=1024), Field(examples=["Correct-horse-7"])
    ]


class RefreshRequest(Input):
    refresh_token: Annotated[str, StringConstraints(max_length=200)]


class UserView(View):
    id: UUID
    email: str
    username: str
    role: Literal["trader", "investor", "admin"]
    created_at: UtcTime


class TokenPair(View):
    access_token: str
    #: Good for one use. Using an old one again ends the session.
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    #: Of the access token.
    expires_in_s: int
