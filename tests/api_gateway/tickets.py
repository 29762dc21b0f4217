"""Orders to send, and what an answer says."""

import httpx

MARKET = {"symbol": "SPY", "side": "buy", "type": "market", "qty": "10"}

EXITS = {"take_profit": {"limit_price": "520"}, "stop_loss": {"stop_price": "490"}}

LIMIT = {**MARKET, "type": "limit", "limit_price": "501.25"}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
