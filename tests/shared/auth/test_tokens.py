import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from shared.auth import TokenError, Tokens

SECRET = "a-secret-of-the-tests-that-is-long-enough-for-every-algorithm-here"
USER, SESSION = uuid4(), uuid4()
MINUTE = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC)


def claims(**changes: Any) -> dict[str, Any]:
    good = {
        "sub": str(USER),
        "sid": str(SESSION),
        "role": "trader",
        "iat": now(),
        "exp": now() + MINUTE,
        "typ": "access",
        "iss": "trading-platform",
        "aud": "trading-platform",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(payload: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, secret, algorithm=algorithm)


def code_of(token: str) -> str:
    with pytest.raises(TokenError) as refused:
        Tokens(SECRET).verify(token)
    return refused.value.code


def test_a_token_names_its_user_session_role_and_end() -> None:
    issued_at = now().replace(microsecond=0)
    token = Tokens(SECRET).issue(USER, SESSION, "admin", now=issued_at, lifetime=MINUTE)
    principal = Tokens(SECRET).verify(token)
    assert (principal.user_id, principal.session_id, principal.role) == (USER, SESSION, "admin")
    assert principal.expires_at == issued_at + MINUTE


def test_an_expired_token_is_refused_as_expired() -> None:
    token = Tokens(SECRET).issue(USER, SESSION, "trader", now=now() - MINUTE, lifetime=MINUTE)
    assert code_of(token) == "token_expired"


def test_a_well_formed_token_of_the_helper_is_accepted() -> None:
    assert Tokens(SECRET).verify(signed(claims())).user_id == USER


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "refresh"},
        {"typ": None},
        {"role": "superuser"},
        {"role": ["admin"]},
        {"role": None},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"sid": None},
        {"sid": 7},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**30},
        {"iss": "elsewhere"},
        {"aud": "elsewhere"},
        {"aud": None},
    ],
)
def test_a_signed_token_with_wrong_claims_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(signed(claims(**changes))) == "token_invalid"


def test_a_token_signed_with_another_secret_or_algorithm_is_refused() -> None:
    assert code_of(signed(claims(), secret=SECRET + "!")) == "token_invalid"
    assert code_of(signed(claims(), algorithm="HS512")) == "token_invalid"


def test_an_unsigned_token_is_refused() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    soon = int((now() + MINUTE).timestamp())
    body = part(claims(iat=soon - 60, exp=soon))
    for algorithm in ("none", "None", "NONE", ""):
        assert code_of(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{body}.") == "token_invalid"


def test_a_token_whose_payload_was_changed_is_refused() -> None:
    head, _, signature = signed(claims()).split(".")
    body = signed(claims(role="admin")).split(".")[1]
    assert code_of(f"{head}.{body}.{signature}") == "token_invalid"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\x00", "é.é.é", "[" * 5000, "\ud800"])
def test_what_is_no_token_at_all_is_refused(token: str) -> None:
    assert code_of(token) == "token_invalid"


def test_ids_are_uuids() -> None:
    assert isinstance(Tokens(SECRET).verify(signed(claims())).session_id, UUID)
