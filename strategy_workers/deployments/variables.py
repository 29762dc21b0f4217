"""What a deployment's strategy knows and holds, read out of its snapshot. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from shared.trading.amounts import shown
from strategy_workers.runtime.desk import market_time
from strategy_workers.runtime.snapshot import Snapshot, decode_snapshot


class OwnPosition(BaseModel):
    symbol: str
    qty: str
    avg_price: str


class WorkingOrderView(BaseModel):
    client_order_id: str
    symbol: str
    side: str
    open_qty: str
    limit_price: str | None
    stop_price: str | None


class TimerView(BaseModel):
    name: str
    #: None for one that is due with the next candle.
    due_at: datetime | None
    every_s: float | None


class Variables(BaseModel):
    """As of the last snapshot; all empty before the first."""

    #: Market time, and the entry of the tape.
    at: datetime | None = None
    tape_id: str | None = None
    state: dict[str, Any] = {}
    #: By the strategy's own name for it, then by symbol; several outputs are a list.
    indicators: dict[str, dict[str, Any]] = {}
    last_prices: dict[str, float] = {}
    cash: str | None = None
    positions: list[OwnPosition] = []
    working_orders: list[WorkingOrderView] = []
    timers: list[TimerView] = []


def variables_of(body: bytes | None) -> Variables:
    if body is None:
        return Variables()
    snapshot = decode_snapshot(body)
    market = snapshot.market
    return Variables(
        at=market_time(snapshot.mark.at_ns) if snapshot.mark else None,
        tape_id=snapshot.cursor,
        state=snapshot.state,
        indicators=_indicators(snapshot),
        last_prices=market.last_prices if market else {},
        cash=shown(snapshot.portfolio.cash),
        positions=[
            OwnPosition(symbol=symbol, qty=shown(own.qty), avg_price=shown(own.avg_price))
            for symbol, own in sorted(snapshot.portfolio.own.items())
            if own.qty
        ],
        working_orders=[
            WorkingOrderView(
                client_order_id=name,
                symbol=order.symbol,
                side=order.side,
                open_qty=shown(order.open_qty),
                limit_price=_price(order.limit_price),
                stop_price=_price(order.stop_price),
            )
            for name, order in snapshot.portfolio.working.items()
        ],
        timers=[
            TimerView(
                name=name,
                due_at=market_time(timer.due_ns) if timer.due_ns > 0 else None,
                every_s=timer.every_ns / 1e9 if timer.every_ns else None,
            )
            for name, timer in sorted(snapshot.timers.items())
        ],
    )


def _indicators(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    sets = snapshot.market.indicators if snapshot.market else []
    names = snapshot.indicator_names
    return {
        names[place] if place < len(names) else f"indicator {place + 1}": {
            symbol: state["values"][1] for symbol, state in by_symbol.items()
        }
        for place, by_symbol in enumerate(sets)
        if by_symbol
    }


def _price(price: Decimal | None) -> str | None:
    return None if price is None else shown(price)
