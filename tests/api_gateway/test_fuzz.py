"""Whatever the API's own document allows, and what it forbids: never a server error, always the
documented shape. Against a real server, real Postgres and Valkey, and doubles behind.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine

from api_gateway.main import create_app
from shared.config import Settings
from shared.redis import make_redis
from tests.api_gateway.conftest import ADMIN, PASSWORD, make_settings
from tests.api_gateway.documented_answers import answer_as_documented
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble, serving

#: Each operation gets this many requests as its document allows, and as many as it forbids;
#: `make chaos` takes more time for it.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))

#: 502 and 503 tell of services behind; the doubles are up, so these would be our fault.
FAULTS = {500, 501, 502, 503, 504}
CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


#: The other operations need it.
ENDS_THE_SESSION = {"logout", "refresh"}


@dataclass(frozen=True)
class Target:
    url: str
    trader: str
    admin: str
    account_id: str


@pytest.fixture
def target(settings: Settings, engine: Engine, behind: HttpDouble) -> Iterator[Target]:
    answer_as_documented(behind)
    with (
        processor_thread(settings, engine),
        serving(create_app(make_settings(settings, behind.url))) as url,
        httpx.Client(base_url=f"{url}/api/v1") as client,
    ):
        registration = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
        assert client.post("/auth/register", json=registration).status_code == 201
        trader, admin = (_token(client, login) for login in ("ada", ADMIN))
        account = client.post(
            "/accounts", json={"name": "Main"}, headers={"Authorization": f"Bearer {trader}"}
        )
        assert account.status_code == 201, account.text
        yield Target(url, trader, admin, account.json()["id"])


@contextlib.contextmanager
def processor_thread(settings: Settings, engine: Engine) -> Iterator[None]:
    """The order processor's double, in a loop of its own beside the test's blocking calls."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        redis = make_redis(settings)
        async with ProcessorDouble(redis, engine, settings.order_shards).running():
            await stop.wait()
        await redis.aclose()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()


def _token(client: httpx.Client, login: str) -> str:
    answer = client.post("/auth/login", json={"login": login, "password": PASSWORD})
    token: str = answer.json()["access_token"]
    return token


@pytest.mark.timeout(600)
def test_no_request_breaks_the_gateway_or_its_document(target: Target) -> None:
    schema = schemathesis.openapi.from_url(f"{target.url}/api/v1/openapi.json")
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] in ENDS_THE_SESSION:
            continue
        for mode in schemathesis.GenerationMode:
            tried += attempt(operation, mode, target)
    assert tried > 400


def attempt(
    operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, target: Target
) -> int:
    """The number of requests tried: none when the document leaves nothing to forbid."""
    requests = 0

    @seed(20260319)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        nonlocal requests
        requests += 1
        answer = case.call(headers=_headers(case, target))
        assert answer.status_code not in FAULTS, (case.as_curl_command(), answer.text)
        if "x-request-id" not in answer.headers:
            assert answer.status_code == 400  # what isn't HTTP at all, the server itself refuses
        elif answer.status_code != 405:  # another method than the document's
            case.validate_response(answer, checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):
        send()
    return requests


def _headers(case: schemathesis.Case, target: Target) -> dict[str, str]:
    """Mostly somebody with rights, on an account that is there."""
    parameters: dict[str, Any] = case.path_parameters or {}
    if "account_id" in parameters and hash(case.id) % 4:
        parameters["account_id"] = target.account_id
        case.path_parameters = parameters
    admins_do = case.path.startswith(
        ("/api/v1/admin", "/api/v1/replays", "/api/v1/market-files", "/api/v1/candle-files")
    )
    token = target.admin if admins_do else target.trader
    return {"Authorization": f"Bearer {token}", "X-Request-ID": uuid4().hex}
