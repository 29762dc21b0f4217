from uuid import UUID

import pytest

from shared.models.identifiers import TIMEFRAMES
from shared.models.topics import (
    ACCOUNT_TOPIC_KINDS,
    AccountTopic,
    CandlesTopic,
    NotificationsTopic,
    TimeTopic,
    account_topic,
    candles_topic,
    notifications_topic,
    parse_topic,
)

ACCOUNT = UUID("6f1c2a34-0000-4000-8000-00000000beef")


@pytest.mark.parametrize("symbol", ["SPY", "BRK.B", "BTC/USDT", "SIM-TREND", "XNSE:INFY", "A.1m"])
@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_a_candle_topic_names_its_symbol_and_timeframe(symbol: str, timeframe: str) -> None:
    name = candles_topic(symbol, timeframe)  # type: ignore[arg-type]
    assert parse_topic(name) == CandlesTopic(symbol, timeframe)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ACCOUNT_TOPIC_KINDS)
def test_an_account_topic_names_its_account_mode_and_kind(kind: str) -> None:
    name = account_topic(ACCOUNT, "paper", kind)  # type: ignore[arg-type]
    assert parse_topic(name) == AccountTopic(ACCOUNT, "paper", kind)  # type: ignore[arg-type]


def test_the_topic_of_notifications_names_its_user() -> None:
    assert parse_topic(notifications_topic(ACCOUNT)) == NotificationsTopic(ACCOUNT)


def test_market_time_has_one_topic() -> None:
    assert parse_topic("time") == TimeTopic()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "times",
        "notifications",
        "users.6F1C2A34-0000-4000-8000-00000000beef.notifications",
        "users..notifications",
        "users.6f1c2a34-0000-4000-8000-00000000beef.notifications.x",
        "candles",
        "candles.SPY",
        "candles.SPY.2m",
        "candles..1m",
        "candles.SPY.1m\n",
        "candles.S PY.1m",
        "candles.é.1m",
        "candles." + "A" * 33 + ".1m",
        f"accounts.{str(ACCOUNT).upper()}.paper.orders",
        f"accounts.{ACCOUNT.hex}.paper.orders",
        f"accounts.{ACCOUNT}.demo.orders",
        f"accounts.{ACCOUNT}.paper.ledger",
        f"accounts.{ACCOUNT}.paper",
        "tape:{0}",
        "replies:x",
        "*",
    ],
)
def test_a_name_that_no_producer_writes_is_no_topic(name: str) -> None:
    assert parse_topic(name) is None
