"""Who may come in, and for how long."""

import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from api_gateway.settings import GatewaySettings
from shared.auth import Tokens
from shared.config import InvalidSettingsError, Settings
from tests.api_gateway.conftest import PASSWORD, Api, Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble

REGISTRATION = {
    "email": "ada@example.com",
    "username": "ada",
    "password": PASSWORD,
    "role": "trader",
}


async def register(api: Api, **changes: Any) -> httpx.Response:
    return await api.http.post("/auth/register", json={**REGISTRATION, **changes})


async def login(api: Api, login: str, password: str = PASSWORD) -> httpx.Response:
    return await api.http.post("/auth/login", json={"login": login, "password": password})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- registering -----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["trader", "investor"])
async def test_one_registers_as_trader_or_investor(api: Api, role: str) -> None:
    answer = await register(api, role=role)
    assert answer.status_code == 201
    user = answer.json()
    assert (user["email"], user["username"], user["role"]) == ("ada@example.com", "ada", role)
    assert "password" not in answer.text


async def test_nobody_registers_as_admin(api: Api) -> None:
    assert code(await register(api, role="admin")) == (422, "invalid_request")


async def test_email_and_username_are_unique_whatever_their_case(api: Api) -> None:
    assert (await register(api)).status_code == 201
    same_email = await register(api, email="ADA@Example.com", username="other")
    assert code(same_email) == (409, "email_taken")
    same_name = await register(api, email="other@example.com", username="ADA")
    assert code(same_name) == (409, "username_taken")


async def test_of_two_registering_at_once_one_gets_the_name(api: Api) -> None:
    answers = await asyncio.gather(*(register(api) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_what_is_not_an_email_is_refused(api: Api) -> None:
    for email in [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "a da@example.com",
        "ada@exa\x00mple.com",
        "ada@example..com",
        "ädä@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "e" * 250 + ".com",
    ]:
        assert code(await register(api, email=email)) == (422, "invalid_request")


async def test_usernames_have_3_to_32_plain_characters(api: Api) -> None:
    for username in ["", "ab", "a" * 33, "a b", "ada@home", "ädä", "ad\x00a"]:
        assert code(await register(api, username=username)) == (422, "invalid_request")


async def test_a_weak_password_is_refused_with_what_it_lacks(api: Api) -> None:
    for password, lacks in [
        ("Sh0rt-a", "8 characters"),
        ("no-upper-case-1", "upper-case"),
        ("No-digit-here", "digit"),
        ("NoSpecial1", "special"),
        ("Correct-horse-7" + "x" * 58, "72"),
        ("Correct-horse-7" + "ü" * 29, "72 bytes"),
        ("Correct-horse\x007", "NUL"),
    ]:
        answer = await register(api, password=password)
        assert code(answer) == (422, "invalid_request")
        assert lacks in answer.json()["detail"]
        assert password not in answer.text


async def test_the_longest_password_counts_to_its_last_byte(api: Api) -> None:
    longest = "Correct-horse-7" + "x" * 57
    assert (await register(api, password=longest)).status_code == 201
    assert (await login(api, "ada", longest)).status_code == 200
    assert code(await login(api, "ada", longest[:-1] + "y")) == (401, "wrong_credentials")
    assert code(await login(api, "ada", longest + "x")) == (401, "wrong_credentials")


# --- signing in ------------------------------------------------------------------------------


async def test_one_signs_in_by_email_or_username_in_any_case(api: Api) -> None:
    await register(api)
    for name in ("ada", "ADA", "ada@example.com", "Ada@Example.COM"):
        tokens = (await login(api, name)).json()
        assert tokens["token_type"] == "bearer"
        assert tokens["expires_in_s"] == 15 * 60


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(api: Api) -> None:
    await register(api)
    wrong = await login(api, "ada", "Wrong-horse-7")
    unknown = await login(api, "nobody", "Wrong-horse-7")
    assert code(wrong) == code(unknown) == (401, "wrong_credentials")
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_an_unknown_user_takes_as_long_as_a_wrong_password(
    settings: Settings, behind: HttpDouble
) -> None:
    async with running(make_settings(settings, behind.url, password_hash_rounds=9)) as api:
        await register(api)

        async def typical_s(name: str) -> float:
            times = []
            for _ in range(5):
                started = time.process_time()  # the clock also counts what others do
                await login(api, name, "Wrong-horse-7")
                times.append(time.process_time() - started)
            return statistics.median(times)

        assert 0.5 < await typical_s("ada") / await typical_s("nobody") < 2


async def test_a_disabled_user_can_not_sign_in_nor_go_on(api: Api, engine: Engine) -> None:
    ada = await api.person("ada")
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET status = 'disabled' WHERE username = 'ada'"))
    assert code(await ada.http.get("/auth/me")) == (401, "session_ended")
    assert code(await login(api, "ada")) == (401, "wrong_credentials")
    assert code(await refresh(api, ada.refresh_token)) == (401, "refresh_token_invalid")


# --- tokens and sessions ---------------------------------------------------------------------


async def refresh(api: Api, token: str) -> httpx.Response:
    return await api.http.post("/auth/refresh", json={"refresh_token": token})


async def test_without_a_token_nothing_but_the_doors_answers(api: Api) -> None:
    answer = await api.http.get("/accounts")
    assert code(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_that_is_not_ours_is_refused(api: Api) -> None:
    for token in ["", "x", "a.b.c", "ü"]:
        answer = await api.http.get(
            "/auth/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")}
        )
        assert answer.status_code == 401


async def test_a_token_of_another_secret_or_past_its_time_is_refused(
    api: Api, trader: Person, gateway_settings: GatewaySettings
) -> None:
    good = Tokens.from_settings(gateway_settings).verify(trader.access_token)
    lifetime = timedelta(minutes=5)

    async def using(tokens: Tokens, now: datetime) -> tuple[int, str]:
        token = tokens.issue(good.user_id, good.session_id, "trader", now=now, lifetime=lifetime)
        return code(await api.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}))

    now = datetime.now(UTC)
    assert await using(Tokens("x" * 32), now) == (401, "token_invalid")
    old = await using(Tokens.from_settings(gateway_settings), now - timedelta(minutes=6))
    assert old == (401, "token_expired")


async def test_a_refresh_token_works_once_and_gives_the_next(api: Api, trader: Person) -> None:
    second = (await refresh(api, trader.refresh_token)).json()
    assert second["refresh_token"] != trader.refresh_token
    third = await refresh(api, second["refresh_token"])
    assert third.status_code == 200


async def test_reusing_an_old_refresh_token_ends_the_session(api: Api, trader: Person) -> None:
    second = (await refresh(api, trader.refresh_token)).json()
    assert code(await refresh(api, trader.refresh_token)) == (401, "refresh_token_invalid")
    assert code(await refresh(api, second["refresh_token"])) == (401, "refresh_token_invalid")
    assert code(await trader.http.get("/auth/me")) == (401, "session_ended")


async def test_of_two_using_one_refresh_token_at_once_one_wins_and_the_session_ends(
    api: Api, trader: Person
) -> None:
    answers = await asyncio.gather(*(refresh(api, trader.refresh_token) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert code(await trader.http.get("/auth/me")) == (401, "session_ended")


async def test_an_invented_refresh_token_is_refused(api: Api) -> None:
    for token in ["", "x", "\x00", "0" * 32 + "." + "A" * 43, "ü" * 76]:
        assert code(await refresh(api, token)) == (401, "refresh_token_invalid")


async def test_logout_ends_this_session_and_no_other(api: Api, trader: Person) -> None:
    other = await api.sign_in("ada")
    assert (await trader.http.post("/auth/logout")).status_code == 204
    assert code(await trader.http.get("/auth/me")) == (401, "session_ended")
    assert code(await refresh(api, trader.refresh_token)) == (401, "refresh_token_invalid")
    assert (await other.http.get("/auth/me")).status_code == 200


async def test_logout_works_at_once_though_sessions_are_remembered(
    settings: Settings, behind: HttpDouble
) -> None:
    async with running(make_settings(settings, behind.url, session_recheck_s=60)) as api:
        ada = await api.person("ada")
        assert (await ada.http.post("/auth/logout")).status_code == 204
        assert code(await ada.http.get("/auth/me")) == (401, "session_ended")


async def test_a_token_of_another_role_gains_nothing_from_a_remembered_session(
    settings: Settings, behind: HttpDouble
) -> None:
    tokens = Tokens.from_settings(settings)
    async with running(make_settings(settings, behind.url, session_recheck_s=60)) as api:
        ada = await api.person("ada")
        now = tokens.verify(ada.access_token)
        former = tokens.issue(
            now.user_id,
            now.session_id,
            "admin",
            now=datetime.now(UTC),
            lifetime=timedelta(minutes=1),
        )
        assert (await ada.http.get("/auth/me")).status_code == 200
        asked = await api.http.get("/auth/me", headers={"Authorization": f"Bearer {former}"})
        assert code(asked) == (401, "session_ended")


def age_session(engine: Engine, minutes: float) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sessions SET last_seen_at = now() - make_interval(secs => :s)"),
            {"s": minutes * 60},
        )


async def test_a_session_ends_after_half_an_hour_without_activity(
    api: Api, trader: Person, engine: Engine
) -> None:
    age_session(engine, 29.9)
    assert (await trader.http.get("/auth/me")).status_code == 200
    age_session(engine, 30.1)
    assert code(await trader.http.get("/auth/me")) == (401, "session_ended")
    assert code(await refresh(api, trader.refresh_token)) == (401, "refresh_token_invalid")


async def test_activity_is_noted_at_most_once_a_minute(
    api: Api, trader: Person, engine: Engine
) -> None:
    def idle_s() -> float:
        with engine.begin() as connection:
            found = connection.execute(
                text("SELECT extract(epoch FROM now() - last_seen_at) FROM sessions")
            )
            return float(found.scalar_one())

    age_session(engine, 0.9)
    await trader.http.get("/auth/me")
    assert idle_s() > 50
    age_session(engine, 1.1)
    await trader.http.get("/auth/me")
    assert idle_s() < 10


async def test_passwords_and_refresh_tokens_are_stored_hashed(
    api: Api, trader: Person, engine: Engine
) -> None:
    with engine.connect() as connection:
        password_hash = connection.execute(
            text("SELECT password_hash FROM users WHERE username = 'ada'")
        ).scalar_one()
        refresh_hash = connection.execute(
            text("SELECT refresh_hash FROM sessions WHERE user_id = :id"), {"id": trader.id}
        ).scalar_one()
    assert password_hash.startswith("$2b$")
    assert refresh_hash not in trader.refresh_token
    assert trader.refresh_token.split(".")[1] not in refresh_hash


# --- the first admin -------------------------------------------------------------------------


async def test_the_first_admin_is_made_at_start_by_one_of_many_gateways(
    gateway_settings: GatewaySettings, engine: Engine
) -> None:
    async def start() -> None:
        async with running(gateway_settings) as api:
            assert (await (await api.admin()).http.get("/auth/me")).json()["role"] == "admin"

    await asyncio.gather(*(start() for _ in range(3)))
    async with running(gateway_settings):
        pass
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar_one() == 1


async def test_an_existing_admin_keeps_their_password(
    settings: Settings, behind: HttpDouble
) -> None:
    async with running(make_settings(settings, behind.url)):
        pass
    changed = make_settings(settings, behind.url, admin_password="Another-horse-8")
    async with running(changed) as api:
        assert (await login(api, "root@example.com")).status_code == 200
        assert (await login(api, "root@example.com", "Another-horse-8")).status_code == 401


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"admin_password": None}, "both"),
        ({"admin_email": None}, "both"),
        ({"admin_email": "root"}, "e-mail"),
        ({"admin_password": "weak"}, "8 characters"),
        ({"admin_username": "a"}, "ADMIN_USERNAME"),
    ],
)
def test_a_first_admin_that_can_not_be_is_refused_at_start(
    settings: Settings, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidSettingsError, match=problem):
        make_settings(settings, "http://127.0.0.1:1", **changes)


async def test_too_many_sign_ins_at_once_are_asked_to_come_back(
    settings: Settings, behind: HttpDouble
) -> None:
    async with running(make_settings(settings, behind.url, password_hash_rounds=8)) as api:
        answers = await asyncio.gather(*(login(api, uuid4().hex) for _ in range(90)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {401, 503}
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert busy.headers["retry-after"] == "1"
