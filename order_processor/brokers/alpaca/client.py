"""Talking to Alpaca: requests, and the stream of order updates."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from order_processor.brokers.alpaca import messages, translate
from order_processor.brokers.broker import Capabilities, OrderTicket, Revision
from order_processor.brokers.errors import (
    BrokerAwayError,
    BrokerError,
    BrokerStoppedError,
    OrderRefusedError,
    OutcomeUnknownError,
)
from shared.models.brokers import BrokerAccount, BrokerOrder, BrokerPosition, BrokerUpdate
from shared.utils.tls import trusted_authorities

log = structlog.get_logger()

T = TypeVar("T")
U = TypeVar("U")

#: What `GET /v2/orders` gives at most.
_PAGE = 500
#: A silent connection is asked whether it lives so often, and given up after as long again.
_PING_S = 10.0
_MOST_FRAME_BYTES = 1 << 20
#: Raised before a byte of the request was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class AlpacaBroker:
    def __init__(self, url: str, key_id: str, secret: str, timeout_s: float) -> None:
        self._key_id = key_id
        self._secret = secret
        self._timeout_s = timeout_s
        base = url.rstrip("/")
        self._stream_url = "ws" + base.removeprefix("http") + "/stream"
        self._http = httpx.AsyncClient(
            base_url=f"{base}/v2",
            headers={"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret},
            timeout=timeout_s,
            verify=trusted_authorities(),
            # Never through a proxy of the environment: it would see the keys of all users.
            trust_env=False,
        )

    @property
    def capabilities(self) -> Capabilities:
        return translate.CAPABILITIES

    async def close(self) -> None:
        await self._http.aclose()

    # --- asking ------------------------------------------------------------------------------

    async def verify(self) -> BrokerAccount:
        account = await self.account()
        if not account.may_trade:
            raise BrokerStoppedError(
                "broker_account_blocked", "The broker takes no orders of this account."
            )
        return account

    async def account(self) -> BrokerAccount:
        body = await self._read("/account")
        return _understood(body, messages.Account, translate.account_of)

    async def positions(self) -> list[BrokerPosition]:
        body = await self._read("/positions")
        return [
            _translated(one, translate.position_of)
            for one in _decoded(body, list[messages.Position])
        ]

    async def open_orders(self) -> list[BrokerOrder]:
        found: dict[str, BrokerOrder] = {}
        after: str | None = None
        while True:
            query = {"status": "open", "limit": str(_PAGE), "direction": "asc", "nested": "false"}
            body = await self._read("/orders", query | ({"after": after} if after else {}))
            page = _decoded(body, list[dict[str, Any]])
            new = 0
            for one in _decoded(body, list[messages.Order]):
                new += one.id not in found
                found[one.id] = _translated(one, translate.order_of)
            if len(page) < _PAGE:
                return list(found.values())
            if not new:  # more than a page of one moment: going on would never end
                raise BrokerAwayError("broker_not_understood", "The broker's list does not end.")
            after = str(page[-1].get("submitted_at"))

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        answer = await self._ask_to_read(
            "/orders:by_client_order_id", {"client_order_id": client_order_id}
        )
        if answer.status_code == 404:
            return None
        body = _succeeded(answer)
        order = _understood(body, messages.Order, translate.order_of)
        if order.client_order_id != client_order_id:
            raise BrokerAwayError("broker_not_understood", "The broker told of another order.")
        return order

    # --- acting ------------------------------------------------------------------------------

    async def place(self, ticket: OrderTicket) -> BrokerOrder:
        try:
            body = await self._act("POST", "/orders", translate.ticket_body(ticket))
        except OrderRefusedError as error:
            if translate.REPEATED_ID not in error.message:
                raise
            first = await self.order(ticket.client_order_id)
            if first is None:
                raise OutcomeUnknownError(
                    "broker_outcome_unknown", "The broker has the order, and does not show it."
                ) from error
            return first
        return _done(lambda: _understood(body, messages.Order, translate.order_of))

    async def replace(self, broker_order_id: str, revision: Revision) -> BrokerOrder:
        path = f"/orders/{quote(broker_order_id, safe='')}"
        body = await self._act("PATCH", path, translate.revision_body(revision))
        return _done(lambda: _understood(body, messages.Order, translate.order_of))

    async def cancel(self, broker_order_id: str) -> None:
        await self._act("DELETE", f"/orders/{quote(broker_order_id, safe='')}")

    async def _act(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """What may change something: never repeated here."""
        try:
            answer = await self._http.request(method, path, json=body)
        except _NOT_SENT as error:
            raise _away(error) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise OutcomeUnknownError(
                "broker_outcome_unknown", f"The broker did not answer ({type(error).__name__})."
            ) from error
        if answer.status_code >= 500 or answer.is_redirect:
            raise OutcomeUnknownError(
                "broker_outcome_unknown", f"The broker failed (HTTP {answer.status_code})."
            )
        return _succeeded(answer)

    async def _read(self, path: str, query: dict[str, str] | None = None) -> bytes:
        return _succeeded(await self._ask_to_read(path, query))

    async def _ask_to_read(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = await self._http.get(path, params=query)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _away(error) from error
        if answer.status_code >= 500 or answer.is_redirect:
            raise BrokerAwayError("broker_away", f"The broker failed (HTTP {answer.status_code}).")
        return answer

    # --- listening ---------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def updates(self) -> AsyncIterator[AsyncIterator[BrokerUpdate]]:
        try:
            async with asyncio.timeout(self._timeout_s):
                stream = await connect(
                    self._stream_url,
                    ping_interval=_PING_S,
                    ping_timeout=_PING_S,
                    max_size=_MOST_FRAME_BYTES,
                    proxy=None,
                )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise _away(error) from error
        try:
            await self._begin(stream)
            yield self._told(stream)
        finally:
            await stream.close()

    async def _begin(self, stream: ClientConnection) -> None:
        keys = {"key_id": self._key_id, "secret_key": self._secret}
        standing = await self._dialogue(
            stream, {"action": "authenticate", "data": keys}, "authorization"
        )
        if standing.status != "authorized":
            raise BrokerStoppedError("broker_credentials", "The broker does not know these keys.")
        listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
        standing = await self._dialogue(stream, listen, "listening")
        if "trade_updates" not in standing.streams:
            raise BrokerAwayError("broker_not_understood", "The broker sends no order updates.")

    async def _dialogue(
        self, stream: ClientConnection, say: dict[str, Any], answer: str
    ) -> messages.Standing:
        try:
            async with asyncio.timeout(self._timeout_s):
                await stream.send(msgspec.json.encode(say).decode())
                while True:
                    frame = _decoded(_bytes(await stream.recv()), messages.Frame)
                    if frame.stream == answer:
                        return _decoded(bytes(frame.data), messages.Standing)
        except (OSError, TimeoutError, WebSocketException) as error:
            raise _away(error) from error

    async def _told(self, stream: ClientConnection) -> AsyncIterator[BrokerUpdate]:
        """A frame that isn't understood ends it: what it told is found by asking."""
        while True:
            try:
                frame = _decoded(_bytes(await stream.recv()), messages.Frame)
            except (OSError, WebSocketException) as error:
                raise _away(error) from error
            if frame.stream == "trade_updates":
                yield _understood(bytes(frame.data), messages.TradeUpdate, translate.update_of)


def _away(error: Exception) -> BrokerAwayError:
    return BrokerAwayError("broker_away", f"The broker is not reached ({type(error).__name__}).")


def _succeeded(answer: httpx.Response) -> bytes:
    if answer.is_success:
        return answer.content
    try:
        fault = msgspec.json.decode(answer.content, type=messages.Fault)
    except msgspec.DecodeError:
        fault = messages.Fault()
    raise translate.error_of(answer.status_code, fault)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("broker_not_understood", error=str(error))
        raise _not_understood() from error


def _translated(said: T, translation: Callable[[T], U]) -> U:
    try:
        return translation(said)
    except translate.NotUnderstoodError as error:
        log.warning("broker_not_understood", error=str(error))
        raise _not_understood() from error


def _understood(body: bytes, kind: type[T], translation: Callable[[T], U]) -> U:
    return _translated(_decoded(body, kind), translation)


def _not_understood() -> BrokerAwayError:
    return BrokerAwayError("broker_not_understood", "The broker's answer is not what it promises.")


def _done(read: Callable[[], T]) -> T:
    """The answer to what was carried out: when it can't be read, the order is there all the
    same."""
    try:
        return read()
    except BrokerError as error:
        raise OutcomeUnknownError("broker_outcome_unknown", error.message) from error


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
