"""A server that speaks as much of Kraken's public API as CCXT needs for trades."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSMsgType, web

#: Kraken's name of the pair, and the one that it has in streams.
PAIR, STREAM_PAIR = "XXBTZUSD", "BTC/USD"

_MARKET = {
    "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
    "aclass_quote": "currency", "quote": "ZUSD", "lot": "unit", "cost_decimals": 5,
    "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [],
    "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.00005",
    "costmin": "0.5", "tick_size": "0.1", "status": "online",
}  # fmt: skip


@dataclass
class KrakenServer:
    """Set the fields to make it behave badly."""

    port: int = 0
    #: `EGeneral:Too many requests`, for instance, instead of every answer.
    error: str | None = None
    #: HTTP status of every answer.
    status: int = 200
    #: Body of every answer, whatever was asked.
    body: str | None = None
    #: price, volume, seconds, side, type, miscellaneous, number
    trades: list[list[Any]] = field(default_factory=list)
    #: `since` of each question for trades.
    asked: list[str] = field(default_factory=list)
    streams: list[web.WebSocketResponse] = field(default_factory=list)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_trade(self, number: int, price: float, volume: float, at_s: float) -> None:
        self.trades.append([str(price), str(volume), at_s, "b", "m", "", number])

    async def tell(self, *rows: tuple[int, float, float]) -> None:
        """Number, price and volume of trades of this moment, in one message of the stream."""
        await self.subscribed.wait()
        at = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        data = [
            {"symbol": STREAM_PAIR, "side": "buy", "price": price, "qty": volume,
             "ord_type": "market", "trade_id": number, "timestamp": at}
            for number, price, volume in rows
        ]  # fmt: skip
        message = {"channel": "trade", "type": "update", "data": data}
        await self.streams[-1].send_str(json.dumps(message))

    def _answer(self, result: Any) -> web.Response:
        if self.body is not None:
            return web.Response(text=self.body, status=self.status)
        errors = [self.error] if self.error else []
        return web.json_response({"error": errors, "result": result}, status=self.status)

    async def _pairs(self, _: web.Request) -> web.Response:
        return self._answer({PAIR: _MARKET})

    async def _assets(self, _: web.Request) -> web.Response:
        names = {"XXBT": "XBT", "ZUSD": "USD"}
        return self._answer(
            {
                name: {"aclass": "currency", "altname": short, "decimals": 8, "display_decimals": 5}
                for name, short in names.items()
            }
        )

    async def _trades(self, request: web.Request) -> web.Response:
        self.asked.append(request.query["since"])
        return self._answer({PAIR: self.trades, "last": "0"})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        self.streams.append(stream)
        async for message in stream:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                if asked.get("method") == "subscribe":
                    assert asked["params"] == {"channel": "trade", "symbol": [STREAM_PAIR]}
                    self.subscribed.set()
        return stream


@contextlib.asynccontextmanager
async def kraken_server() -> AsyncIterator[KrakenServer]:
    kraken = KrakenServer()
    app = web.Application()
    app.router.add_get("/0/public/AssetPairs", kraken._pairs)
    app.router.add_get("/0/public/Assets", kraken._assets)
    app.router.add_get("/0/public/Trades", kraken._trades)
    app.router.add_get("/v2", kraken._stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kraken.port = runner.addresses[0][1]
    try:
        yield kraken
    finally:
        await runner.cleanup()
