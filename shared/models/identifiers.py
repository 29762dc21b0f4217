"""Names that many messages carry."""

from typing import Literal, NewType
from uuid import UUID

AccountId = NewType("AccountId", UUID)
OrderId = NewType("OrderId", UUID)
DeploymentId = NewType("DeploymentId", UUID)

#: Canonical id of an instrument, such as `SPY`.
Symbol = NewType("Symbol", str)

#: Paper and live never mix: every record carries its mode.
Mode = Literal["paper", "live"]

Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]
TIMEFRAMES: tuple[Timeframe, ...] = ("1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
