"""The gateway's API as Python calls: sign-in kept fresh, problems as exceptions, pages joined."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from cli.client.errors import ApiError, UnreachableError
from shared.utils.tls import trusted_authorities

#: Uploads and deployments answer when the work is done, which may take a while.
_TIMEOUT = httpx.Timeout(10.0, read=300.0, write=300.0)
_UPLOAD_CHUNK_BYTES = 1 << 16
#: An access token is renewed when less than this is left of it.
_RENEW_BEFORE_S = 60.0

Json = dict[str, Any]


class Gateway:
    """One user's connection. Use it as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=f"{self._url}/api/v1",
            timeout=_TIMEOUT,
            verify=trusted_authorities(),
            trust_env=False,
        )
        self._access_token: str | None = None
        self._refresh_token: str | None = None
        self._renew_at = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    # --- sign-in ----------------------------------------------------------------------------

    async def register(self, email: str, username: str, password: str, role: str) -> Json:
        body = {"email": email, "username": username, "password": password, "role": role}
        return await self._send("POST", "/auth/register", json=body)

    async def login(self, login: str, password: str) -> None:
        self._keep(
            await self._send("POST", "/auth/login", json={"login": login, "password": password})
        )

    async def access_token(self) -> str:
        """One that is good for a while yet."""
        if self._access_token is None:
            raise ApiError(401, "unauthenticated", "Sign in first.")
        if time.monotonic() > self._renew_at:
            self._keep(
                await self._send(
                    "POST", "/auth/refresh", json={"refresh_token": self._refresh_token}
                )
            )
        return self._access_token

    async def logout(self) -> None:
        await self.call("POST", "/auth/logout")
        self._access_token = None

    def _keep(self, tokens: Json) -> None:
        self._access_token = tokens["access_token"]
        self._refresh_token = tokens["refresh_token"]
        self._renew_at = time.monotonic() + max(tokens["expires_in_s"] - _RENEW_BEFORE_S, 0.0)

    # --- calls ------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Json:
        """The answer's body; ApiError when it is a problem, UnreachableError when none came."""
        headers = {"Authorization": f"Bearer {await self.access_token()}"}
        return await self._send(method, path, json=json, params=params, headers=headers)

    async def items(
        self, path: str, params: Mapping[str, str | int] | None = None
    ) -> AsyncIterator[Json]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            page_params = dict(params or {}) | {"limit": 1000}
            if cursor is not None:
                page_params["cursor"] = cursor
            page = await self.call("GET", path, params=page_params)
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def upload(
        self, path: Path, to: str = "market-files", params: Mapping[str, str] | None = None
    ) -> Json:
        """Send a file of trades or of other things; what the platform knows of it now."""

        async def chunks() -> AsyncIterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(_UPLOAD_CHUNK_BYTES):
                    yield chunk

        headers = {
            "Authorization": f"Bearer {await self.access_token()}",
            "Content-Type": "application/octet-stream",
        }
        return await self._send(
            "PUT",
            f"/{to}/{_market_file_name(path.name)}",
            params=params,
            content=chunks(),
            headers=headers,
        )

    async def config(self) -> Json:
        return await self._send("GET", "/config")

    async def _send(self, method: str, path: str, **options: Any) -> Json:
        try:
            response = await self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"no gateway answers at {self._url}: {reason}") from error
        if response.is_error:
            raise _problem(response)
        if not response.content:
            return {}
        try:
            body: Json = response.json()
        except ValueError as error:
            raise UnreachableError(f"what answers at {self._url} is not the gateway") from error
        return body


def _problem(response: httpx.Response) -> ApiError:
    status = response.status_code
    try:
        body = response.json()
        errors = [str(one["message"]) for one in body.get("errors") or ()]
        return ApiError(status, str(body["code"]), str(body["detail"]), errors)
    except (ValueError, KeyError, TypeError):
        url = response.request.url
        return ApiError(status, f"http_{status}", f"{url} answered with status {status}")


def _market_file_name(name: str) -> str:
    """As near to it as the gateway takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-128:].lstrip("._-") or "trades"
