"""A broker that speaks Alpaca's wire format, over real HTTP and WebSocket, and can be made to
misbehave.

    python -m tests.brokers.simulated 8099      # keys: key, secret

An order that it takes works at once; `fill` trades it, at what price the test says.
"""

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from cli.embedded.servers import free_port

OPEN = ("accepted", "new", "partially_filled", "pending_cancel")


@dataclass
class Faults:
    """How it misbehaves from now on. Statuses and outcomes are used up, one for each request."""

    slow_s: float = 0.0
    #: Answers to requests that are not carried out.
    statuses: deque[int] = field(default_factory=deque)
    #: Of orders that are carried out: `hang` (no answer), `500`, `garbage`.
    after_accept: deque[str] = field(default_factory=deque)
    #: Why the next orders are refused: (status, code, message).
    refusals: deque[tuple[int, int, str]] = field(default_factory=deque)
    #: Each update is sent twice; held back and sent in reverse; or not sent at all.
    duplicate: bool = False
    reorder: bool = False
    lose: bool = False
    #: Orders wait in `accepted`, and cancels in `pending_cancel`, until `settle`.
    undecided: bool = False
    refuse_streams: bool = False


class SimulatedBroker:
    key, secret = "key", "secret"

    def __init__(self, cash: str = "100000") -> None:
        self.cash = Decimal(cash)
        self.status = "ACTIVE"
        self.orders: dict[str, dict[str, Any]] = {}
        self.positions: dict[str, tuple[Decimal, Decimal]] = {}
        self.faults = Faults()
        #: `POST /orders` that came, whatever became of them.
        self.placed: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self._streams: set[WebSocket] = set()
        self._held_back: list[str] = []

    # --- what the test does ------------------------------------------------------------------

    def by_client_id(self, client_order_id: str) -> dict[str, Any]:
        return next(o for o in self.orders.values() if o["client_order_id"] == client_order_id)

    async def fill(self, client_order_id: str, qty: str, price: str) -> None:
        order = self.by_client_id(client_order_id)
        traded, at = Decimal(qty), Decimal(price)
        before = Decimal(order["filled_qty"])
        average = Decimal(order["filled_avg_price"] or 0)
        filled = before + traded
        order["filled_qty"] = str(filled)
        order["filled_avg_price"] = str((before * average + traded * at) / filled)
        done = filled == Decimal(order["qty"])
        order["status"] = "filled" if done else "partially_filled"
        signed = traded if order["side"] == "buy" else -traded
        held, cost = self.positions.get(order["symbol"], (Decimal(0), Decimal(0)))
        self.positions[order["symbol"]] = (held + signed, at if signed > 0 else cost)
        if not self.positions[order["symbol"]][0]:
            del self.positions[order["symbol"]]
        self.cash -= signed * at
        await self._tell(
            "fill" if done else "partial_fill",
            order,
            execution_id=str(uuid4()),
            price=price,
            qty=qty,
            position_qty=str(held + signed),
        )

    async def end(self, client_order_id: str, status: str) -> None:
        """`canceled`, `expired`, `rejected`."""
        order = self.by_client_id(client_order_id)
        order["status"] = status
        await self._tell(status, order)

    async def settle(self) -> None:
        """What was undecided is decided."""
        self.faults.undecided = False
        for order in list(self.orders.values()):
            if order["status"] == "accepted":
                order["status"] = "new"
                await self._tell("new", order)
            elif order["status"] == "pending_cancel":
                order["status"] = "canceled"
                await self._tell("canceled", order)

    async def order_by_hand(self, symbol: str, qty: str) -> dict[str, Any]:
        """The user, at the broker's own site."""
        body = {"symbol": symbol, "qty": qty, "side": "buy", "type": "market"}
        return await self._take({**body, "time_in_force": "day"})

    async def say(self, frame: str) -> None:
        """Any frame at all."""
        for stream in list(self._streams):
            await stream.send_text(frame)

    async def release(self) -> None:
        """Send what was held back to be reordered."""
        frames, self._held_back = self._held_back[::-1], []
        self.faults.reorder = False
        for frame in frames:
            await self.say(frame)

    async def drop_streams(self) -> None:
        for stream in list(self._streams):
            with contextlib.suppress(RuntimeError):
                await stream.close(1011)

    @property
    def listeners(self) -> int:
        return len(self._streams)

    # --- its own doing -----------------------------------------------------------------------

    async def _tell(self, event: str, order: dict[str, Any], **more: str) -> None:
        order["updated_at"] = _now()
        if self.faults.lose:
            return
        data = {"event": event, "order": order, "timestamp": _now(), **more}
        frame = json.dumps({"stream": "trade_updates", "data": data})
        if self.faults.reorder:
            self._held_back.append(frame)
            return
        for _ in range(2 if self.faults.duplicate else 1):
            await self.say(frame)

    async def _take(self, body: dict[str, Any]) -> dict[str, Any]:
        order = {
            "id": str(uuid4()),
            "client_order_id": body.get("client_order_id") or str(uuid4()),
            "symbol": body["symbol"],
            "qty": body["qty"],
            "side": body["side"],
            "type": body["type"],
            "time_in_force": body["time_in_force"],
            "limit_price": body.get("limit_price"),
            "stop_price": body.get("stop_price"),
            "filled_qty": "0",
            "filled_avg_price": None,
            "status": "accepted" if self.faults.undecided else "new",
            "order_class": "",
            "legs": None,
            "created_at": _now(),
            "submitted_at": _now(),
            "updated_at": _now(),
        }
        self.orders[order["id"]] = order
        if not self.faults.undecided:
            await self._tell("new", order)
        return order

    async def place(self, body: dict[str, Any]) -> Response:
        self.placed.append(body)
        if self.faults.refusals:
            return _fault(*self.faults.refusals.popleft())
        known = {order["client_order_id"] for order in self.orders.values()}
        if body.get("client_order_id") in known:
            return _fault(422, 40010001, "client_order_id must be unique")
        order = await self._take(body)
        outcome = self.faults.after_accept.popleft() if self.faults.after_accept else ""
        if outcome == "hang":
            await asyncio.sleep(3600)
        if outcome == "500":
            return _fault(500, 50010000, "internal server error")
        return Response("{") if outcome == "garbage" else JSONResponse(order)

    async def replace(self, order_id: str, body: dict[str, Any]) -> Response:
        old = self.orders.get(order_id)
        if old is None:
            return _fault(404, 40410000, "order not found")
        if old["status"] not in ("new", "partially_filled"):
            return _fault(422, 42210000, "order is not replaceable")
        new = await self._take(old | {key: body[key] for key in body})
        new["replaces"], old["replaced_by"], old["status"] = old["id"], new["id"], "replaced"
        await self._tell("replaced", old)
        return JSONResponse(new)

    async def cancel(self, order_id: str) -> Response:
        order = self.orders.get(order_id)
        if order is None:
            return _fault(404, 40410000, "order not found")
        if order["status"] not in OPEN:
            return _fault(422, 42210000, f"order is already in {order['status']!r} state")
        self.cancelled.append(order_id)
        order["status"] = "pending_cancel" if self.faults.undecided else "canceled"
        if not self.faults.undecided:
            await self._tell("canceled", order)
        return Response(status_code=204)

    async def listen(self, stream: WebSocket) -> None:
        await stream.accept()
        if self.faults.refuse_streams:
            await stream.close(1011)
            return
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                said = json.loads(await stream.receive_text())
                if said["action"] == "authenticate":
                    keys = said["data"]
                    right = (keys["key_id"], keys["secret_key"]) == (self.key, self.secret)
                    status = "authorized" if right else "unauthorized"
                    data = {"status": status, "action": "authenticate"}
                    await stream.send_json({"stream": "authorization", "data": data})
                else:
                    self._streams.add(stream)
                    await stream.send_json({"stream": "listening", "data": said["data"]})
        self._streams.discard(stream)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def guard(request: Request, go_on: Any) -> Response:
            await asyncio.sleep(self.faults.slow_s)
            sent = request.headers
            if (sent.get("apca-api-key-id"), sent.get("apca-api-secret-key")) != (
                self.key,
                self.secret,
            ):
                return _fault(401, 40110000, "request is not authorized.")
            if self.faults.statuses:
                return _fault(self.faults.statuses.popleft(), 0, "as ordered")
            return await go_on(request)

        @app.get("/v2/account")
        async def account() -> Any:
            worth = sum((qty * price for qty, price in self.positions.values()), self.cash)
            return {
                "id": str(uuid4()),
                "account_number": "SIM1",
                "status": self.status,
                "currency": "USD",
                "cash": str(self.cash),
                "equity": str(worth),
                "buying_power": str(self.cash),
                "trading_blocked": False,
            }

        @app.get("/v2/positions")
        async def positions() -> Any:
            return [
                {"symbol": symbol, "qty": str(qty), "avg_entry_price": str(price), "side": "long"}
                for symbol, (qty, price) in self.positions.items()
            ]

        @app.get("/v2/orders:by_client_order_id")
        async def by_client_order_id(client_order_id: str) -> Any:
            for order in self.orders.values():
                if order["client_order_id"] == client_order_id:
                    return order
            return _fault(404, 40410000, "order not found")

        @app.get("/v2/orders")
        async def orders() -> Any:
            return [order for order in self.orders.values() if order["status"] in OPEN]

        @app.post("/v2/orders")
        async def place(request: Request) -> Response:
            return await self.place(await request.json())

        @app.patch("/v2/orders/{order_id}")
        async def replace(order_id: str, request: Request) -> Response:
            return await self.replace(order_id, await request.json())

        @app.delete("/v2/orders/{order_id}")
        async def cancel(order_id: str) -> Response:
            return await self.cancel(order_id)

        app.add_api_websocket_route("/stream", self.listen)
        return app


@contextlib.asynccontextmanager
async def served(broker: SimulatedBroker, port: int | None = None) -> AsyncIterator[str]:
    """Its URL, while the block runs."""
    port = port or free_port()
    config = uvicorn.Config(
        broker.app(), host="127.0.0.1", port=port, log_level="error", lifespan="off"
    )
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "it did not start"
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await broker.drop_streams()
        server.should_exit = server.force_exit = True
        await task


def _fault(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=status)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def _serve_for_ever(port: int) -> None:
    async with served(SimulatedBroker(), port) as url:
        print(f"a simulated broker on {url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_for_ever(int(sys.argv[1])))
