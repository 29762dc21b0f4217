"""What can go wrong here, and who reacts.

UnknownExchangeError   (shared.calendars) no calendar for it    → caller's fault: 422
LeadershipLostError    another engine carries the market now    → the run ends as failed
TapeTakenError         (shared.redis.tape_writer) likewise, seen on the tape itself
RunLostError           (shared.redis.tape) Redis lost the run   → likewise
StoreAwayError         (store) the candle store is away         → writing waits, reading: 503
NoProviderError        (providers) nobody answered             → the job waits, or is dead
QueueFullError         (backfill) a tier's queue is full        → found again by the next sweep
MarketFileError         (shared.market_files) a file is refused  → caller's fault: 422
"""

from dataclasses import dataclass


class LeadershipLostError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked for can't be done. `code` is stable, `message` a sentence for people."""

    code: str
    message: str
