import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import market
from shared.config import Settings
from shared.database.tables import LedgerEntryRow, OrderRow
from shared.models.identifiers import AccountId
from shared.service.internal_client import INTERNAL_TOKEN_HEADER

_OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
_CAPITAL = Decimal(10**9)
_SESSIONS = 5
_SESSION_MINUTES = 390
_CURVE_POINTS = 2000


_EXECUTIONS = text(
    "INSERT INTO executions (id, order_id, account_id, mode, symbol, side, qty, price, fee,"
    " realized_pnl, seq, at) SELECT gen_random_uuid(), :order, :account, 'paper', 'SPY',"
    " CASE n % 2 WHEN 0 THEN 'buy' ELSE 'sell' END, 10, 100 + (n % 7) / 10.0, 0.35,"
    " CASE n % 2 WHEN 0 THEN 0 ELSE (n % 5) - 2 END, n + 1, CAST(:open AS timestamptz)"
    " + n / :each * interval '1 day' + n % :each * :apart_s * interval '1 second'"
    " FROM generate_series(0, :count - 1) n"
)


def _store_books(engine: Engine, account: AccountId, executions: int) -> None:
    """A deposit, and buys and sells by turns, evenly over the sessions."""
    deposit = LedgerEntryRow(
        account_id=account,
        mode="paper",
        seq=1,
        kind="deposit",
        amount=_CAPITAL,
        currency="USD",
        balance=_CAPITAL,
        at=_OPEN,
    )
    order = OrderRow(
        id=uuid4(),
        account_id=account,
        mode="paper",
        client_order_id="1",
        submitted_by="user:1",
        symbol="SPY",
        side="buy",
        type="market",
        time_in_force="gtc",
        qty=1,
        status="filled",
        filled_qty=1,
        seq=1,
        submitted_at=_OPEN,
        updated_at=_OPEN,
        reserved=0,
        tape_id="0-0",
    )
    values = {
        "account": account,
        "order": order.id,
        "count": executions,
        "open": _OPEN,
        "each": -(-executions // _SESSIONS),
        "apart_s": _SESSIONS * _SESSION_MINUTES * 60 / (executions + _SESSIONS),
    }
    with Session(engine) as session, session.begin():
        session.add_all([deposit, order])
        session.flush()
        session.execute(_EXECUTIONS, values)


def _candle_rows() -> Iterator[str]:
    yield "timestamp,symbol,open,high,low,close,volume"
    for session in range(_SESSIONS):
        for minute in range(_SESSION_MINUTES):
            at = _OPEN + timedelta(days=session, minutes=minute)
            close = 100 + minute % 9 / 10
            yield f"{at:%Y-%m-%dT%H:%M:%SZ},SPY,{close},{close},{close},{close},100"


def _call(settings: Settings, url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(
        url,
        body,
        {INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value()},
        method="GET" if body is None else "PUT",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def main(executions: int) -> None:
    with (
        market(1) as (running, engine, [account]),
        running.service("market_data_engine", "MARKET_DATA_PORT") as (_, market_data_port),
    ):
        settings = running.settings()
        market_data = f"http://127.0.0.1:{market_data_port}"
        rows = "\n".join(_candle_rows()).encode()
        _call(settings, f"{market_data}/internal/candle-files/spy.csv?timeframe=1m", rows)
        _store_books(engine, account, executions)
        running.more_environment["MARKET_DATA_URL"] = market_data
        with running.service("analytics_service", "ANALYTICS_PORT") as (pid, port):
            url = f"http://127.0.0.1:{port}/internal/performance?account_id={account}&mode=paper"
            _call(settings, url)
            cpu_s, began = processor_s(pid), time.perf_counter()
            content = _call(settings, url)
            wall_s = time.perf_counter() - began
            cpu_s = processor_s(pid) - cpu_s
    answer = json.loads(content)
    if len(answer["equity_curve"]) > _CURVE_POINTS:
        raise RuntimeError("the curve has too many points")
    report(executions, wall_s, cpu_s, {"executions": answer["executions"]})


if __name__ == "__main__":
    main(int(sys.argv[1]))
