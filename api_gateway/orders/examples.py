"""Requests that the API's description shows."""

from typing import Any

_ORDER = {"symbol": "SPY", "side": "buy", "qty": "10"}
_EXIT = {"symbol": "SPY", "side": "sell", "qty": "10"}

TICKETS: dict[str, Any] = {
    "market": {"summary": "Buy at the market", "value": {**_ORDER, "type": "market"}},
    "notional": {
        "summary": "Buy for 1000, today",
        "value": {
            "symbol": "SPY",
            "side": "buy",
            "notional": "1000",
            "type": "market",
            "time_in_force": "day",
        },
    },
    "limit": {
        "summary": "Buy at 501.25 or better, today",
        "value": {
            **_ORDER,
            "type": "limit",
            "limit_price": "501.25",
            "time_in_force": "day",
            "client_order_id": "rebalance-2026-11-20-1",
        },
    },
    "stop": {
        "summary": "Sell when it falls to 480",
        "value": {**_EXIT, "type": "stop", "stop_price": "480"},
    },
    "stop_limit": {
        "summary": "Sell when it falls to 480, not below 478.50",
        "value": {**_EXIT, "type": "stop_limit", "stop_price": "480", "limit_price": "478.50"},
    },
    "trailing_stop": {
        "summary": "Sell when it falls 2.5 % from its best price",
        "value": {**_EXIT, "type": "trailing_stop", "trail_percent": "2.5"},
    },
    "bracket": {
        "summary": "Buy at 501.25, then sell at 520 or when it falls to 490",
        "value": {
            **_ORDER,
            "type": "limit",
            "limit_price": "501.25",
            "order_class": "bracket",
            "take_profit": {"limit_price": "520"},
            "stop_loss": {"stop_price": "490"},
        },
    },
    "oco": {
        "summary": "Sell at 520, or when it falls 3 % from its best price",
        "value": {
            **_EXIT,
            "type": "limit",
            "order_class": "oco",
            "take_profit": {"limit_price": "520"},
            "stop_loss": {"trail_percent": "3"},
        },
    },
    "good_till_date": {
        "summary": "Buy at 450 until a date",
        "value": {
            **_ORDER,
            "type": "limit",
            "limit_price": "450",
            "time_in_force": "gtd",
            "expires_at": "2026-12-18T21:00:00Z",
        },
    },
    "extended_hours": {
        "summary": "Buy at 501.25 or better today, before and after regular hours too",
        "value": {
            **_ORDER,
            "type": "limit",
            "limit_price": "501.25",
            "time_in_force": "day",
            "extended_hours": True,
        },
    },
    "on_close": {
        "summary": "Sell in the closing auction",
        "value": {**_EXIT, "type": "market", "time_in_force": "cls"},
    },
}

REPLACEMENTS: dict[str, Any] = {
    "price": {
        "summary": "Move the limit",
        "value": {"limit_price": "502", "client_order_id": "rebalance-2026-11-20-1-b"},
    },
    "trail": {"summary": "Trail closer", "value": {"trail_percent": "1.5"}},
}

CLOSINGS: dict[str, Any] = {
    "plain": {"summary": "Sell what is held", "value": {"client_order_id": "flat-2026-11-20"}},
    "with_orders": {
        "summary": "Cancel its orders, then sell",
        "value": {"client_order_id": "flat-2026-11-20", "cancel_orders": True},
    },
}

PARTS: dict[str, Any] = {
    "percent": {"summary": "Sell half of it", "value": {"percent": "50"}},
    "qty": {"summary": "Sell five", "value": {"qty": "5", "client_order_id": "less-2026-11-20"}},
}

PROTECTIONS: dict[str, Any] = {
    "percent": {
        "summary": "Out 5 % above and 2.5 % below the average price",
        "value": {"take_profit": {"percent": "5"}, "stop_loss": {"percent": "2.5"}},
    },
    "trailing": {
        "summary": "Out 1.5 % below the best price",
        "value": {"stop_loss": {"trail_percent": "1.5"}, "client_order_id": "guard-1"},
    },
    "prices": {
        "summary": "Out at 520 or 490",
        "value": {"take_profit": {"limit_price": "520"}, "stop_loss": {"stop_price": "490"}},
    },
}
