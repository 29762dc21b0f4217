"""Every Redis key and channel, with who writes it and what bounds it.

Braces are hash tags: keys that are used together in one operation share one.
"""

from functools import lru_cache
from itertools import count
from uuid import UUID
from zlib import crc32


def shard_of(account_id: UUID, shards: int) -> int:
    """The shard that owns the account: `crc32` of its 16 bytes, modulo the number of shards."""
    return crc32(account_id.bytes) % shards


@lru_cache(maxsize=8)
def ids_of_shards(shards: int) -> tuple[UUID, ...]:
    """For each shard an id that leads to it, for what concerns the shard and no account."""
    found: dict[int, UUID] = {}
    for number in count():
        found.setdefault(shard_of(UUID(int=number), shards), UUID(int=number))
        if len(found) == shards:
            break
    return tuple(found[shard] for shard in range(shards))


def order_commands(shard: int) -> str:
    """Stream of order commands. Gateways and workers append; the owner trims what it committed."""
    return f"orders:{{{shard}}}:commands"


def replies(requester: str) -> str:
    """Channel of answers to one requesting process. A lost one is asked for again."""
    return f"replies:{requester}"


def rate(what: str, who: str) -> str:
    """How often somebody did something in this window; gone with it."""
    return f"rate:{what}:{who}"


#: Stream of market data and time. The engine appends, and trims what all participants committed.
TAPE = "tape:{0}"
#: Stream of acknowledgements of time marks, read and trimmed by the engine.
TAPE_ACKS = "tape:{0}:acks"
#: Hash participant → phase: who must acknowledge the marks of a paced run.
TAPE_PARTICIPANTS = "tape:{0}:participants"
#: Id of the last run that was begun. When it is gone, Redis has lost the run's tape.
TAPE_RUN = "tape:{0}:run"
#: Hash participant → tape entry id up to which its work is durable: the tape is kept from there.
TAPE_COMMITTED = "tape:{0}:committed"


def observer_heartbeat(participant: str) -> str:
    """Key that lives as long as the observer does; the websocket service renews it."""
    return f"tape:{{0}}:observer:{participant}"


#: Hash symbol → last price as text. Written by the engine at a bounded rate.
LAST_PRICES = "market:last_prices"


def topic_channel(topic: str) -> str:
    """Channel of a topic's frames, as they happen."""
    return f"topic:{{{topic}}}"


def topic_buffer(topic: str) -> str:
    """Stream with the topic's last frames, entry id `<seq>-0`: what a returning client missed."""
    return f"topic:{{{topic}}}:buffer"


def provider_tokens(provider: str) -> str:
    """Token bucket of a provider of market data. All engines take from it; it expires."""
    return f"market:provider:{{{provider}}}:tokens"


#: Stream of data jobs that programs ask for; what the engine has taken goes.
DATA_JOBS = "market:{jobs}"
#: Stream of those that can't be done, with the reason; the last 10,000.
DATA_JOBS_DEAD = "market:{jobs}:dead"

#: What the leading engine knows of its providers, as JSON, and since when.
PROVIDERS = "market:providers"


def provider_scores(provider: str) -> str:
    """List of a provider's last 60 scores, newest first. Written by the leading engine."""
    return f"market:provider:{{{provider}}}:scores"
