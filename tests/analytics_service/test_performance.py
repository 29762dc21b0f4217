"""The service over real Postgres, with an HTTP double of the market data engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, insert, text

from analytics_service.main import create_app
from analytics_service.settings import AnalyticsSettings
from cli.embedded.servers import free_port
from shared.config import Settings
from shared.database.tables import (
    AccountRow,
    LedgerEntryRow,
    MarkRow,
    OrderRow,
    PositionRow,
    UserRow,
)
from shared.redis.keys import shard_of

D = Decimal
OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def text_of(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@dataclass
class MarketData:
    port: int
    #: Symbol → closes of the minutes from OPEN on.
    closes: dict[str, list[float]] = field(default_factory=dict)
    page: int = 10_000
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                status, body = self.answer(head.split(" ")[1])
                encoded = json.dumps(body).encode()
                writer.write(
                    b"HTTP/1.1 %d Answer\r\nContent-Length: %d\r\n\r\n" % (status, len(encoded))
                )
                writer.write(encoded)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        url = urlsplit(target)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append(asked)
        symbol = url.path.rsplit("/", 1)[1]
        if self.status != 200 or symbol not in self.closes:
            return (self.status if self.status != 200 else 404), {}
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
        items = [
            {"start": text_of(at), "end": text_of(at + MINUTE), "close": close, "complete": True}
            for n, close in enumerate(self.closes[symbol])
            if start <= (at := OPEN + n * MINUTE) < end
        ]
        first = int(asked.get("cursor", 0))
        more = first + self.page < len(items)
        cursor = str(first + self.page) if more else None
        return 200, {"items": items[first : first + self.page], "next_cursor": cursor}


@pytest.fixture
async def market_data() -> AsyncIterator[MarketData]:
    double = MarketData(free_port())
    async with await asyncio.start_server(double.serve, "127.0.0.1", double.port):
        yield double


@dataclass
class Service:
    http: httpx.AsyncClient

    async def ask(self, account: UUID, **parameters: Any) -> httpx.Response:
        parameters = {"account_id": str(account), "mode": "paper"} | parameters
        return await self.http.get("/internal/performance", params=parameters)

    async def performance(self, account_id: UUID, **parameters: Any) -> dict[str, Any]:
        response = await self.ask(account_id, **parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@asynccontextmanager
async def serving(settings: AnalyticsSettings) -> AsyncIterator[Service]:
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://analytics",
            headers={"X-Internal-Token": settings.internal_token.get_secret_value()},
        ) as http,
    ):
        yield Service(http)


@pytest.fixture
def analytics_settings(settings: Settings, market_data: MarketData) -> AnalyticsSettings:
    return AnalyticsSettings(
        _env_file=None,
        **settings.model_dump(exclude={"market_data_url"}),
        market_data_url=f"http://127.0.0.1:{market_data.port}",
    )


@pytest.fixture
async def service(analytics_settings: AnalyticsSettings) -> AsyncIterator[Service]:
    async with serving(analytics_settings) as service:
        yield service


class Account:
    """Books as the order processor writes them."""

    def __init__(
        self, engine: Engine, capital: Decimal = D(10_000), *, opened: bool = True
    ) -> None:
        self.engine = engine
        self.id, self.order_id, owner_id = uuid4(), uuid4(), uuid4()
        self.seq = self.ledger_seq = 0
        self.cash = D(0)
        with engine.begin() as connection:
            connection.execute(
                insert(UserRow).values(
                    id=owner_id,
                    email=f"{owner_id}@example.com",
                    username=owner_id.hex,
                    password_hash="-",
                    role="trader",
                )
            )
            connection.execute(
                insert(AccountRow).values(
                    id=self.id,
                    owner_id=owner_id,
                    name="main",
                    base_currency="USD",
                    paper_capital=capital,
                    paper_terms={},
                )
            )
            if opened:
                self._enter(connection, "deposit", capital)

    def move(self, kind: str, amount: str, at: datetime) -> None:
        with self.engine.begin() as connection:
            self._enter(connection, kind, D(amount), at)

    def _enter(self, connection: Any, kind: str, amount: Decimal, at: datetime = OPEN) -> None:
        self.ledger_seq += 1
        self.cash += amount
        connection.execute(
            insert(LedgerEntryRow).values(
                account_id=self.id,
                mode="paper",
                seq=self.ledger_seq,
                kind=kind,
                amount=amount,
                currency="USD",
                balance=self.cash,
                execution_id=None,
                at=at,
            )
        )

    def execute(
        self,
        qty: str,
        price: str,
        at: datetime,
        fee: str = "0",
        pnl: str = "0",
        symbol: str = "SPY",
    ) -> None:
        signed = D(qty)
        with self.engine.begin() as connection:
            if self.seq == 0:
                connection.execute(
                    insert(OrderRow).values(
                        id=self.order_id,
                        account_id=self.id,
                        mode="paper",
                        client_order_id="1",
                        submitted_by="user:1",
                        symbol=symbol,
                        side="buy",
                        type="market",
                        time_in_force="gtc",
                        qty=1,
                        status="filled",
                        filled_qty=1,
                        seq=1,
                        submitted_at=OPEN,
                        updated_at=OPEN,
                        reserved=0,
                        tape_id="0-0",
                    )
                )
            self.seq += 1
            connection.execute(
                text(
                    "INSERT INTO executions (id, order_id, account_id, mode, symbol, side, qty,"
                    " price, fee, realized_pnl, seq, at) VALUES (gen_random_uuid(), :order_id,"
                    " :account_id, 'paper', :symbol, :side, :qty, :price, :fee, :pnl, :seq, :at)"
                ),
                {
                    "order_id": self.order_id,
                    "account_id": self.id,
                    "symbol": symbol,
                    "side": "buy" if signed > 0 else "sell",
                    "qty": abs(signed),
                    "price": D(price),
                    "fee": D(fee),
                    "pnl": D(pnl),
                    "seq": self.seq,
                    "at": at,
                },
            )
            self._enter(connection, "fill", -signed * D(price))
            if D(fee):
                self._enter(connection, "fee", -D(fee))

    def hold(self, qty: str, cost: str, pnl: str, fees: str, symbol: str = "SPY") -> None:
        with self.engine.begin() as connection:
            connection.execute(
                insert(PositionRow).values(
                    account_id=self.id,
                    mode="paper",
                    symbol=symbol,
                    qty=D(qty),
                    cost=D(cost),
                    avg_price=D(0),
                    realized_pnl=D(pnl),
                    fees=D(fees),
                    updated_at=OPEN,
                )
            )

    def mark(self, price: str, at: datetime, shards: int, symbol: str = "SPY") -> None:
        with self.engine.begin() as connection:
            connection.execute(
                insert(MarkRow).values(
                    shard=shard_of(self.id, shards),
                    symbol=symbol,
                    price=D(price),
                    at=at,
                    tape_id="1-0",
                )
            )


async def test_an_account_that_has_traded(
    service: Service, engine: Engine, market_data: MarketData, settings: Settings
) -> None:
    account = Account(engine)
    account.execute("10", "100", OPEN + 0.5 * MINUTE, fee="1")
    account.execute("-10", "103", OPEN + 1.5 * MINUTE, fee="1", pnl="30")
    account.execute("10", "104", OPEN + 2.5 * MINUTE, fee="1")
    account.hold("10", "1040", pnl="30", fees="3")
    market_data.closes["SPY"] = [101.0, 99.0, 104.0, 102.0]
    account.mark("101.5", OPEN + 3.9 * MINUTE, settings.order_shards)
    answer = await service.performance(account.id)
    curve = answer.pop("equity_curve")
    assert answer == {
        "account_id": str(account.id),
        "mode": "paper",
        "timeframe": "1m",
        "initial_capital": "10000",
        "net_flows": "0",
        "income": "0",
        "cash": "8987",
        "equity": "10002",
        "realized_pnl": "30",
        "unrealized_pnl": "-25",
        "currency_pnl": "0",
        "fees": "3",
        "total_return_fraction": 0.0002,
        # 10,028 after the second minute, then 10 bought at 104, less a fee of 1: 10,027 at 104,
        # 10,007 at 102, and 10,002 now.
        "max_drawdown": "26",
        "max_drawdown_fraction": pytest.approx(26 / 10_028),
        "max_drawdown_duration_s": 120.0,
        "sharpe": None,
        "sharpe_basis": "daily returns, risk-free rate 0, annualised over 252 trading days",
        "win_rate": 1.0,
        "profit_factor": None,
        "trades": 1,
        "executions": 3,
        "marked_at_execution": [],
    }
    assert curve == [
        {"at": "2026-01-05T14:30:30Z", "equity": "10000"},
        {"at": "2026-01-05T14:31:00Z", "equity": "10009"},
        {"at": "2026-01-05T14:32:00Z", "equity": "10028"},
        {"at": "2026-01-05T14:33:00Z", "equity": "10027"},
        {"at": "2026-01-05T14:34:00Z", "equity": "10007"},
        {"at": "2026-01-05T14:34:00Z", "equity": "10002"},
    ]


async def test_an_account_without_executions_has_its_capital_and_nothing_to_measure(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    for account in (Account(engine), Account(engine, opened=False)):
        answer = await service.performance(account.id)
        assert (answer["initial_capital"], answer["cash"], answer["equity"]) == ("10000",) * 3
        assert answer["total_return_fraction"] == 0.0
        for name in ("max_drawdown", "max_drawdown_fraction", "sharpe", "win_rate"):
            assert answer[name] is None
        assert (answer["trades"], answer["executions"], answer["equity_curve"]) == (0, 0, [])
    assert market_data.asked == []


async def test_what_is_paid_in_or_taken_out_is_no_profit_and_interest_is(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine)
    account.move("deposit", "10000", OPEN)  # before the first execution: capital
    account.execute("100", "100", OPEN + 0.5 * MINUTE)
    account.move("deposit", "20000", OPEN + 1.5 * MINUTE)
    account.execute("-100", "110", OPEN + 2.5 * MINUTE, pnl="1000")
    account.move("withdrawal", "-31000", OPEN + 3.5 * MINUTE)
    account.move("interest", "100", OPEN + 4.5 * MINUTE)
    account.hold("0", "0", pnl="1000", fees="0")
    market_data.closes["SPY"] = [105.0, 105.0, 110.0]
    answer = await service.performance(account.id)
    names = ("initial_capital", "net_flows", "income", "realized_pnl", "equity")
    assert [answer[name] for name in names] == ["20000", "-11000", "100", "1000", "10100"]
    assert [point["equity"] for point in answer["equity_curve"]] == [
        "20000", "20500", "40500", "40500", "41000", "10000", "10100",
    ]  # fmt: skip
    # 20,000 → 20,500; 40,500 → 41,000; 10,000 → 10,100.
    growth = (20_500 / 20_000) * (41_000 / 40_500) * (10_100 / 10_000)
    assert answer["total_return_fraction"] == pytest.approx(growth - 1)
    assert (answer["max_drawdown"], answer["max_drawdown_fraction"]) == ("0", 0.0)


async def test_live_books_that_hold_nothing_have_no_return(
    service: Service, engine: Engine
) -> None:
    account = Account(engine)
    answer = await service.performance(account.id, mode="live")
    assert (answer["initial_capital"], answer["total_return_fraction"]) == ("0", None)


async def test_a_symbol_without_candles_is_marked_at_its_last_execution_and_named(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine)
    account.execute("10", "100", OPEN)
    account.execute("10", "110", OPEN + MINUTE)
    account.execute("1", "50", OPEN + MINUTE, symbol="IBM")
    account.hold("20", "2100", pnl="0", fees="0")
    account.hold("1", "50", pnl="0", fees="0", symbol="IBM")
    market_data.closes["IBM"] = [48.0, 49.0]
    answer = await service.performance(account.id)
    assert answer["marked_at_execution"] == ["SPY"]
    assert answer["equity"] == "10099"  # 20 at 110, 1 at 49
    assert answer["unrealized_pnl"] == "99"


async def test_pages_of_candles_are_read_to_the_end(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine)
    account.execute("1", "100", OPEN)
    account.execute("-1", "100", OPEN + 99 * MINUTE, pnl="0")
    account.hold("0", "0", pnl="0", fees="0")
    market_data.closes["SPY"] = [float(price) for price in range(100, 250)]
    market_data.page = 7
    answer = await service.performance(account.id)
    assert len(answer["equity_curve"]) == 101
    assert answer["max_drawdown"] == "98"
    short = await service.performance(account.id, max_points=10)
    assert len(short["equity_curve"]) <= 10
    assert short["max_drawdown"] == "98"


async def test_too_many_candles_ask_for_a_larger_timeframe(
    analytics_settings: AnalyticsSettings, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine)
    account.execute("1", "100", OPEN)
    account.execute("-1", "100", OPEN + 1500 * MINUTE, pnl="0")
    market_data.closes["SPY"] = [100.0] * 2000
    small = analytics_settings.model_copy(update={"analytics_max_candles": 1000})
    async with serving(small) as service:
        answer = await service.ask(account.id)
    assert (answer.status_code, answer.json()["code"]) == (422, "range_too_long")


async def test_a_market_data_engine_that_is_away_is_said_so(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine)
    account.execute("1", "100", OPEN)
    market_data.status = 500
    answer = await service.ask(account.id)
    assert (answer.status_code, answer.json()["code"]) == (503, "market_data_unavailable")


@pytest.mark.parametrize(
    "parameters",
    [
        {"account_id": "x"},
        {"mode": "demo"},
        {"timeframe": "2m"},
        {"max_points": 1},
        {"max_points": 10**6},
        {"max_points": "\0"},
    ],
)
async def test_bad_questions_are_refused(
    service: Service, engine: Engine, parameters: dict[str, Any]
) -> None:
    answer = await service.ask(Account(engine).id, **parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_unknown_account_is_not_found_and_strangers_are_not_answered(
    service: Service,
) -> None:
    assert (await service.ask(uuid4())).status_code == 404
    service.http.headers.pop("X-Internal-Token")
    assert (await service.ask(uuid4())).status_code == 401


async def test_of_very_many_executions_the_curve_is_bounded_and_none_is_left_out(
    service: Service, engine: Engine, market_data: MarketData
) -> None:
    account = Account(engine, capital=D(1_000_000))
    account.execute("1", "100", OPEN)
    account.execute("-1", "100", OPEN)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO executions (id, order_id, account_id, mode, symbol, side, qty, price,"
                " fee, realized_pnl, seq, at) SELECT gen_random_uuid(), :order_id, :account_id,"
                " 'paper', 'SPY', CASE n % 2 WHEN 1 THEN 'buy' ELSE 'sell' END, 10,"
                " 100 + (n % 7) / 10.0, 0.35, CASE n % 2 WHEN 1 THEN 0 ELSE (n % 5) - 2 END, n + 2,"
                " :start + n * interval '1 second' FROM generate_series(1, 19998) n"
            ),
            {"order_id": account.order_id, "account_id": account.id, "start": OPEN},
        )
    market_data.closes["SPY"] = [100 + minute % 9 / 10 for minute in range(1700)]
    answer = await service.performance(account.id)
    assert (answer["executions"], answer["trades"]) == (20_000, 10_000)
    assert len(answer["equity_curve"]) <= 2000
