"""Questions to vendors over HTTP, and their failures in our words."""

from collections.abc import Mapping
from typing import TypeVar

import httpx
import msgspec

from market_data_engine.feeds.live import FeedLostError
from market_data_engine.providers.provider import Permit, ProviderDeclinedError
from market_data_engine.vendors.sockets import refused_by_status
from shared.utils.tls import trusted_authorities

T = TypeVar("T")

_MOST_BYTES = 64 << 20
#: The question was understood and has no answer: the vendor itself is sound.
_DECLINED = frozenset({400, 404, 422})


class RestVendor:
    """One vendor's base URL. Connects at first use."""

    def __init__(
        self, vendor: str, url: str, headers: Mapping[str, str], timeout_s: float, permit: Permit
    ) -> None:
        self._vendor = vendor
        self._timeout_s = timeout_s
        self._permit = permit
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=dict(headers),
            timeout=timeout_s,
            verify=trusted_authorities(),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, query: Mapping[str, str], shape: type[T]) -> T:
        """The body of a good answer; anything else is a FeedError."""
        await self._permit()
        try:
            async with self._http.stream("GET", path, params=dict(query)) as response:
                body = await self._body(response)
        except httpx.TimeoutException:
            raise FeedLostError(
                f"{self._vendor} didn't answer within {self._timeout_s:g} s."
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text may hold the URL, and that a token.
            kind = type(error).__name__
            raise FeedLostError(f"The connection to {self._vendor} broke: {kind}.") from None
        if response.status_code in _DECLINED:
            raise ProviderDeclinedError(
                f"{self._vendor} has no answer to this: HTTP {response.status_code}."
            )
        if response.status_code != httpx.codes.OK:
            retry_after = response.headers.get("Retry-After")
            raise refused_by_status(self._vendor, response.status_code, retry_after)
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise FeedLostError(f"{self._vendor} answered what can't be understood.") from None

    async def _body(self, response: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > _MOST_BYTES:
                raise FeedLostError(f"{self._vendor} answered more than can be meant.")
            pieces.append(piece)
        return b"".join(pieces)
