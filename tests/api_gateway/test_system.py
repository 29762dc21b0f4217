"""Documentation, configuration, headers, and the web terminal's files."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api_gateway.headers import SecurityHeaders
from api_gateway.settings import GatewaySettings
from api_gateway.terminal.routes import terminal_router
from shared.config import InvalidSettingsError, Settings
from shared.service.problems import install_problem_handlers
from tests.api_gateway.conftest import Api, make_settings, running
from tests.api_gateway.doubles import HttpDouble

PROMISED = {
    "GET /notifications",
    "POST /notifications/read",
    "POST /notifications/{notification_id}/read",
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/logout",
    "GET /auth/me",
    "POST /accounts",
    "GET /accounts",
    "GET /accounts/{account_id}",
    "GET /accounts/{account_id}/paper-terms",
    "PATCH /accounts/{account_id}/paper-terms",
    "GET /accounts/{account_id}/margin",
    "PATCH /accounts/{account_id}/margin",
    "GET /accounts/{account_id}/portfolio",
    "PUT /accounts/{account_id}/broker",
    "GET /accounts/{account_id}/broker",
    "DELETE /accounts/{account_id}/broker",
    "POST /accounts/{account_id}/orders",
    "GET /accounts/{account_id}/orders",
    "GET /accounts/{account_id}/orders/{order_id}",
    "DELETE /accounts/{account_id}/orders/{order_id}",
    "PATCH /accounts/{account_id}/orders/{order_id}",
    "DELETE /accounts/{account_id}/orders",
    "POST /accounts/{account_id}/positions/close",
    "POST /accounts/{account_id}/positions/{symbol}/close",
    "PUT /accounts/{account_id}/positions/{symbol}/protection",
    "GET /accounts/{account_id}/positions/{symbol}/conversions",
    "POST /accounts/{account_id}/positions/{symbol}/conversions",
    "GET /accounts/{account_id}/positions/{symbol}/protection",
    "DELETE /accounts/{account_id}/positions/{symbol}/protection",
    "GET /accounts/{account_id}/executions",
    "GET /accounts/{account_id}/positions",
    "GET /accounts/{account_id}/ledger",
    "POST /accounts/{account_id}/cash/deposits",
    "POST /accounts/{account_id}/cash/withdrawals",
    "POST /accounts/{account_id}/cash/transfers",
    "POST /accounts/{account_id}/cash/adjustments",
    "POST /accounts/{account_id}/cash/conversions",
    "PUT /fx-rates/{currency}/{quote_currency}",
    "GET /fx-rates",
    "POST /accounts/{account_id}/cash/interest",
    "GET /accounts/{account_id}/performance",
    "GET /accounts/{account_id}/strategy-positions",
    "GET /accounts/{account_id}/lots",
    "GET /accounts/{account_id}/lots/closed",
    "DELETE /accounts/{account_id}/risk/kill-switch",
    "DELETE /risk/kill-switch",
    "GET /accounts/{account_id}/audit",
    "GET /accounts/{account_id}/deployments/{deployment_id}/risk/limits",
    "GET /accounts/{account_id}/risk",
    "GET /accounts/{account_id}/risk/limits",
    "GET /risk/audit",
    "GET /risk/kill-switch",
    "GET /risk/limits",
    "GET /risk/users/{user_id}/limits",
    "POST /accounts/{account_id}/risk/acknowledge",
    "POST /accounts/{account_id}/deployments/{deployment_id}/risk/acknowledge",
    "POST /accounts/{account_id}/risk/kill-switch",
    "POST /risk/kill-switch",
    "PUT /accounts/{account_id}/deployments/{deployment_id}/risk/limits",
    "PUT /accounts/{account_id}/risk/limits",
    "PUT /risk/limits",
    "PUT /risk/users/{user_id}/limits",
    "POST /admin/books-checks",
    "GET /admin/books-checks/last",
    "GET /admin/books-checks/{check_id}",
    "PATCH /admin/lending/{symbol}",
    "POST /admin/corporate-actions",
    "GET /admin/corporate-actions",
    "GET /admin/corporate-actions/{action_id}",
    "POST /admin/corporate-actions/{action_id}/cancel",
    "POST /admin/corporate-actions/{action_id}/retry",
    "GET /instruments",
    "GET /instruments/{symbol}",
    "GET /candles/{symbol}",
    "GET /market-data/quality",
    "GET /feeds",
    "GET /admin/market-data/providers",
    "GET /admin/market-data/configuration",
    "PUT /admin/market-data/configuration",
    "POST /admin/market-data/jobs",
    "GET /admin/market-data/jobs",
    "GET /admin/market-data/jobs/statistics",
    "GET /admin/market-data/jobs/undeliverable",
    "GET /admin/market-data/mappings",
    "PUT /admin/market-data/mappings",
    "GET /admin/market-data/mappings/missing",
    "POST /admin/market-data/mappings/sets/{name}",
    "DELETE /admin/market-data/mappings/{party}/{symbol}",
    "GET /admin/market-data/universe",
    "PUT /admin/market-data/universe",
    "POST /admin/market-data/jobs/requeue",
    "POST /admin/market-data/jobs/{job_id}/requeue",
    "DELETE /admin/market-data/jobs/{job_id}",
    "GET /indicators",
    "GET /indicators/{name}/{symbol}",
    "PUT /market-files/{name}",
    "GET /market-files",
    "POST /backtests",
    "GET /backtests",
    "GET /backtests/comparison",
    "GET /backtests/comparison/report",
    "GET /backtests/{backtest_id}",
    "GET /backtests/{backtest_id}/result",
    "GET /backtests/{backtest_id}/report",
    "POST /backtests/{backtest_id}/cancel",
    "POST /backtests/{backtest_id}/repeat",
    "POST /backtests/{backtest_id}/deploy",
    "DELETE /backtests/{backtest_id}",
    "POST /replays",
    "GET /replays",
    "GET /replays/{replay_id}",
    "POST /replays/{replay_id}/stop",
    "PUT /candle-files/{name}",
    "GET /candle-series",
    "POST /replays/{replay_id}/pause",
    "POST /replays/{replay_id}/resume",
    "POST /replays/{replay_id}/speed",
    "POST /replays/{replay_id}/seek",
    "GET /strategies",
    "POST /strategies",
    "GET /strategies/{name}/versions",
    "POST /strategies/{name}/versions/{version}/decision",
    "DELETE /strategies/{name}/versions/{version}",
    "POST /accounts/{account_id}/deployments/{deployment_id}/rollback",
    "GET /strategies/{name}",
    "POST /accounts/{account_id}/deployments",
    "GET /accounts/{account_id}/deployments",
    "GET /accounts/{account_id}/deployments/{deployment_id}",
    "PATCH /accounts/{account_id}/deployments/{deployment_id}",
    "POST /accounts/{account_id}/deployments/{deployment_id}/stop",
    "POST /accounts/{account_id}/deployments/{deployment_id}/pause",
    "POST /accounts/{account_id}/deployments/{deployment_id}/resume",
    "GET /accounts/{account_id}/deployments/{deployment_id}/parameters",
    "GET /accounts/{account_id}/deployments/{deployment_id}/logs",
    "GET /accounts/{account_id}/deployments/{deployment_id}/plots",
    "GET /accounts/{account_id}/deployments/{deployment_id}/variables",
    "GET /accounts/{account_id}/deployments/{deployment_id}/signals",
    "POST /accounts/{account_id}/deployments/{deployment_id}/parity-reports",
    "GET /accounts/{account_id}/deployments/{deployment_id}/parity-reports",
    "GET /accounts/{account_id}/deployments/{deployment_id}/parity-reports/{report_id}",
    "DELETE /accounts/{account_id}/deployments/{deployment_id}/parity-reports/{report_id}",
    "POST /accounts/{account_id}/deployments/{deployment_id}/parity-reports/{report_id}/cancel",
    "GET /config",
}


# --- documentation ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    """Printed without any server or setting."""
    printed = subprocess.run(
        [sys.executable, "-m", "api_gateway.openapi"], capture_output=True, check=True, timeout=60
    )
    parsed: dict[str, object] = json.loads(printed.stdout)
    return parsed


def operations(document: dict[str, object]) -> dict[str, dict[str, object]]:
    paths = document["paths"]
    assert isinstance(paths, dict)
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_the_document_holds_what_was_promised(document: dict[str, object]) -> None:
    assert set(operations(document)) == PROMISED


def test_every_operation_is_named_tagged_and_says_how_it_fails(
    document: dict[str, object],
) -> None:
    for name, operation in operations(document).items():
        assert operation["operationId"], name
        assert operation["tags"], name
        responses = operation["responses"]
        assert isinstance(responses, dict)
        for status, response in responses.items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], name
            elif status != "204":
                kind = "text/html" if name.endswith("/report") else "application/json"
                assert response["content"][kind]["schema"], name


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, object]) -> None:
    text = json.dumps(document)
    components = document["components"]
    assert isinstance(components, dict)
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.split('"')[0] in components["schemas"]
    assert "HTTPValidationError" not in text


async def test_the_gateway_serves_its_document_and_a_page_of_it(api: Api) -> None:
    assert (await api.http.get("/openapi.json")).json()["paths"]
    page = await api.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "submitOrder" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


# --- configuration ---------------------------------------------------------------------------


async def test_the_websocket_is_next_door_to_the_gateway(api: Api) -> None:
    for host, url in [
        ("desk.example:8000", "ws://desk.example:8001/v1/stream"),
        ("desk.example", "ws://desk.example:8001/v1/stream"),
        ("[::1]:8000", "ws://[::1]:8001/v1/stream"),
        ("evil.example; script-src *", "ws://127.0.0.1:8001/v1/stream"),
    ]:
        answer = await api.http.get("/config", headers={"Host": host})
        assert answer.json() == {"environment": "test", "websocket_url": url}


async def test_the_operator_says_where_the_websocket_is(
    settings: Settings, behind: HttpDouble
) -> None:
    public = make_settings(
        settings, behind.url, websocket_public_url="wss://stream.example/v1/stream"
    )
    async with running(public) as api:
        answer = await api.http.get("/config")
        assert answer.json()["websocket_url"] == "wss://stream.example/v1/stream"


def test_empty_variables_mean_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEBSOCKET_PUBLIC_URL", "ADMIN_EMAIL", "ADMIN_PASSWORD", "CORS_ALLOWED_ORIGINS"):
        monkeypatch.setenv(name, "")
    settings = GatewaySettings(_env_file=None)
    assert settings.websocket_public_url is None
    assert settings.admin_email is None
    assert settings.cors_allowed_origins == ()


# --- headers ---------------------------------------------------------------------------------


async def test_every_answer_makes_browsers_careful(api: Api) -> None:
    for path in ("/config", "/accounts", "/nowhere", "/docs", "/auth/login"):
        answer = await api.http.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("origin", ["*", "null", "desk.example", "https://desk.example/", "ws://a"])
def test_what_is_no_origin_is_refused_at_start(settings: Settings, origin: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"CORS_ALLOWED_ORIGINS: .* is not an origin"):
        make_settings(settings, "http://127.0.0.1:1", cors_allowed_origins=origin)


async def test_other_origins_are_let_in_by_name_only(
    settings: Settings, behind: HttpDouble
) -> None:
    def preflight(origin: str, method: str = "POST") -> dict[str, str]:
        return {"Origin": origin, "Access-Control-Request-Method": method}

    friend = "https://desk.example"
    open_to_friend = make_settings(settings, behind.url, cors_allowed_origins=f"{friend}, ")
    async with running(open_to_friend) as api:
        answer = await api.http.options("/accounts", headers=preflight(friend))
        assert answer.headers["access-control-allow-origin"] == friend
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            asked = preflight(friend, method)
            assert (await api.http.options("/accounts", headers=asked)).status_code == 200
        answer = await api.http.options("/accounts", headers=preflight("https://evil.example"))
        assert "access-control-allow-origin" not in answer.headers
    async with running(make_settings(settings, behind.url)) as api:
        answer = await api.http.options("/accounts", headers=preflight(friend))
        assert "access-control-allow-origin" not in answer.headers


async def test_health_and_metrics_answer(api: Api) -> None:
    assert (await api.http.get("http://gateway/health/live")).status_code == 200
    ready = (await api.http.get("http://gateway/health/ready")).json()
    assert ready == {"status": "ok", "dependencies": {"postgres": "ok", "redis": "ok"}}
    assert "http_requests_total" in (await api.http.get("http://gateway/metrics")).text


# --- the web terminal ------------------------------------------------------------------------


def serve(static: Path) -> httpx.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(terminal_router(GatewaySettings(_env_file=None), static))
    app.add_middleware(SecurityHeaders)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example:80")


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>terminal")
    (static / "assets" / "app-1a2b.js").write_text("run()")
    (static / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    async with serve(static) as client:
        yield client


async def test_every_page_of_the_terminal_is_its_index(terminal: httpx.AsyncClient) -> None:
    for path in ("/", "/accounts/1", "/sign-in", "/apis"):
        answer = await terminal.get(path)
        assert (answer.status_code, answer.text) == (200, "<!doctype html>terminal")
        assert answer.headers["cache-control"] == "no-cache"


async def test_built_files_are_cached_for_good(terminal: httpx.AsyncClient) -> None:
    answer = await terminal.get("/assets/app-1a2b.js")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert (await terminal.get("/favicon.svg")).headers["cache-control"] == "no-cache"


async def test_pages_run_only_our_scripts_and_talk_only_to_us(
    terminal: httpx.AsyncClient,
) -> None:
    policy = (await terminal.get("/")).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "connect-src 'self' ws://desk.example:8001;" in policy
    assert "default-src 'none'" in policy


async def test_nothing_outside_of_the_built_files_is_served(terminal: httpx.AsyncClient) -> None:
    for path in (
        "/..%2fsecret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "//etc/passwd",
        "/%00",
        "/" + "a" * 5000,
        "/missing.js",
        "/assets/",
    ):
        answer = await terminal.get(path)
        assert "secret" not in answer.text
        assert "root:" not in answer.text
        assert answer.status_code in (200, 404)


async def test_an_unknown_api_path_is_a_problem_not_a_page(terminal: httpx.AsyncClient) -> None:
    for path in ("/api/v1/nowhere", "/api", "/internal/x", "/health/x"):
        answer = await terminal.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_without_a_built_terminal_a_page_says_what_to_do(tmp_path: Path) -> None:
    async with serve(tmp_path / "nothing") as client:
        answer = await client.get("/")
    assert answer.status_code == 404
    assert "make web" in answer.text
