"""Alpaca's words: https://docs.alpaca.markets/reference. Fields that
nobody here reads are left out.

Decimals come as texts, from some endpoints as numbers; both are read exactly.
"""

from datetime import datetime
from decimal import Decimal

import msgspec


class Order(msgspec.Struct, frozen=True):
    id: str
    client_order_id: str
    symbol: str
    side: str
    status: str
    updated_at: datetime
    qty: Decimal | None = None
    filled_qty: Decimal = Decimal(0)
    filled_avg_price: Decimal | None = None


class Position(msgspec.Struct, frozen=True):
    symbol: str
    qty: Decimal
    avg_entry_price: Decimal


class Account(msgspec.Struct, frozen=True):
    account_number: str
    status: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    currency: str = "USD"
    trading_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False


class Fault(msgspec.Struct, frozen=True):
    message: str = ""
    code: int = 0


class TradeUpdate(msgspec.Struct, frozen=True):
    event: str
    order: Order
    timestamp: datetime
    execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None


class Standing(msgspec.Struct, frozen=True):
    """Of `authorization` and `listening` frames."""

    status: str = ""
    streams: tuple[str, ...] = ()


class Frame(msgspec.Struct, frozen=True):
    stream: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
