"""Names of the topics that clients subscribe to. Built and taken apart here and nowhere else."""

import re
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

from shared.models.identifiers import TIMEFRAMES, Mode, Timeframe

AccountTopicKind = Literal["orders", "executions", "positions", "cash", "equity", "risk"]
ACCOUNT_TOPIC_KINDS: tuple[AccountTopicKind, ...] = (
    "orders",
    "executions",
    "positions",
    "cash",
    "equity",
    "risk",
)
#: Market time, mark by mark; a client that acknowledges it takes part in pacing.
TIME_TOPIC = "time"


def candles_topic(symbol: str, timeframe: Timeframe) -> str:
    return f"candles.{symbol}.{timeframe}"


def account_topic(account_id: UUID, mode: Mode, kind: AccountTopicKind) -> str:
    return f"accounts.{account_id}.{mode}.{kind}"


def notifications_topic(user_id: UUID) -> str:
    return f"users.{user_id}.notifications"


@dataclass(frozen=True)
class CandlesTopic:
    symbol: str
    timeframe: Timeframe


@dataclass(frozen=True)
class AccountTopic:
    account_id: UUID
    mode: Mode
    kind: AccountTopicKind


@dataclass(frozen=True)
class NotificationsTopic:
    user_id: UUID


@dataclass(frozen=True)
class TimeTopic:
    """There is one."""


Topic = CandlesTopic | AccountTopic | NotificationsTopic | TimeTopic

_CANDLES = re.compile(
    r"candles\.(?P<symbol>[A-Za-z0-9][A-Za-z0-9._/:-]{0,31})"
    rf"\.(?P<timeframe>{'|'.join(TIMEFRAMES)})"
)
_ID = r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_ACCOUNT = re.compile(
    rf"accounts\.{_ID}"
    rf"\.(?P<mode>paper|live)\.(?P<kind>{'|'.join(ACCOUNT_TOPIC_KINDS)})"
)

_NOTIFICATIONS = re.compile(rf"users\.{_ID}\.notifications")


def parse_topic(name: str) -> Topic | None:
    """None when no producer would ever write to a topic of this name."""
    if name == TIME_TOPIC:
        return TimeTopic()
    if match := _CANDLES.fullmatch(name):
        return CandlesTopic(match["symbol"], cast("Timeframe", match["timeframe"]))
    if match := _ACCOUNT.fullmatch(name):
        return AccountTopic(
            UUID(match["id"]),
            cast("Mode", match["mode"]),
            cast("AccountTopicKind", match["kind"]),
        )
    if match := _NOTIFICATIONS.fullmatch(name):
        return NotificationsTopic(UUID(match["id"]))
    return None
