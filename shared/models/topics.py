"""Names of the topics that clients subscribe to. Built here and nowhere else."""

from typing import Literal
from uuid import UUID

from shared.models.identifiers import Mode, Timeframe

AccountTopicKind = Literal["orders", "executions", "positions", "equity"]
ACCOUNT_TOPIC_KINDS: tuple[AccountTopicKind, ...] = (
    "orders",
    "executions",
    "positions",
    "equity",
)
#: Market time, mark by mark; a client that acknowledges it takes part in pacing.
TIME_TOPIC = "time"


def candles_topic(symbol: str, timeframe: Timeframe) -> str:
    return f"candles.{symbol}.{timeframe}"


def account_topic(account_id: UUID, mode: Mode, kind: AccountTopicKind) -> str:
    return f"accounts.{account_id}.{mode}.{kind}"
