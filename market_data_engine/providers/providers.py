"""Asking the providers: in the order of the policy, the healthy ones first, until one answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

import structlog

from market_data_engine.feeds.events import Print
from market_data_engine.feeds.live import FeedError, FeedRefusedError, FeedThrottledError
from market_data_engine.metrics import (
    PROVIDER_BREAKER,
    PROVIDER_FAILOVERS,
    PROVIDER_PROMOTED,
    PROVIDER_REQUESTS,
    PROVIDER_SCORE,
    PROVIDER_SECONDS,
)
from market_data_engine.providers.breaker import Breaker, BreakerState
from market_data_engine.providers.configuration import Configuration
from market_data_engine.providers.health import CallRecord, Health, Standing
from market_data_engine.providers.limits import RateLimits
from market_data_engine.providers.provider import (
    Bar,
    BarLength,
    Capability,
    HistoryProvider,
    Permit,
    ProviderDeclinedError,
)
from shared.mappings import NoNameError

log = structlog.get_logger()

T = TypeVar("T")

_BREAKER_NUMBER: dict[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}
#: Seconds that the question under way has waited for the rate limit: not the provider's slowness.
_waited_s: ContextVar[list[float]] = ContextVar("waited_s")


class NoProviderError(Exception):
    """Nobody answered. `declined`: all who were asked said that there is no answer, so asking again
    is of no use; else it may be, not before `retry_after_s`."""

    def __init__(self, problems: Sequence[str], *, declined: bool, retry_after_s: float) -> None:
        super().__init__(" ".join(problems) or "No provider can be asked for this.")
        self.declined = declined
        self.retry_after_s = retry_after_s
        #: False: all were open or asked for patience.
        self.asked = bool(problems)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    provider: str
    rows: list[T]


@dataclass
class Watched:
    """One provider, and what is known of it."""

    provider: HistoryProvider
    breaker: Breaker
    record: CallRecord = field(default_factory=CallRecord)
    standing: Standing = field(default_factory=Standing)
    #: It asked for patience until then.
    throttled_until_s: float = 0.0
    #: Why its last question failed; None when it didn't.
    problem: str | None = None

    def may_be_asked(self, now_s: float) -> bool:
        return now_s >= self.throttled_until_s and self.breaker.allows(now_s)


class Providers:
    """`limits` None: as fast as asked for, for tests of all else."""

    def __init__(
        self,
        configuration: Configuration,
        limits: RateLimits | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        name_of: Callable[[str, str], str | None] = lambda _provider, _symbol: None,
    ) -> None:
        """`name_of` gives what a symbol was mapped to at a provider, None for its usual name, or
        raises NoNameError; it blocks."""
        self._name_of = name_of
        self.configuration = configuration
        self._limits = limits
        self._clock_s = clock_s
        self.watched: dict[str, Watched] = {}

    def add(self, provider: HistoryProvider) -> None:
        breaker = Breaker(self.configuration.breaker_terms())
        self.watched[provider.name] = Watched(provider, breaker)

    def permit(self, name: str) -> Permit:
        """For the client of that provider."""

        async def wait() -> None:
            if self._limits is None:
                return
            began_s = self._clock_s()
            await self._limits.wait(name, self.configuration.limit(name))
            waited = _waited_s.get(None)
            if waited is not None:
                waited[0] += self._clock_s() - began_s

        return wait

    def apply(self, configuration: Configuration) -> None:
        """From the next question on. What is known of the providers stays known."""
        self.configuration = configuration
        for one in self.watched.values():
            one.breaker.terms = configuration.breaker_terms()

    async def close(self) -> None:
        for one in self.watched.values():
            await one.provider.close()

    # --- asking ----------------------------------------------------------------------------------

    async def bars(
        self,
        symbol: str,
        length: BarLength,
        start_ns: int,
        end_ns: int,
        *,
        expected: int | None = None,
    ) -> Told[Bar]:
        """`expected`: bars that there are when every interval has one. Raises NoProviderError."""
        return await self._ask(
            "bars_1m" if length == "1m" else "bars_1d",
            symbol,
            lambda provider, name: provider.bars(name, length, start_ns, end_ns),
            expected,
        )

    async def trades(self, symbol: str, start_ns: int, end_ns: int) -> Told[Print]:
        told = await self._ask(
            "trades",
            symbol,
            lambda provider, name: provider.trades(name, start_ns, end_ns),
            None,
        )
        return Told(told.provider, [replace(row, symbol=symbol) for row in told.rows])

    def order(self, capability: Capability) -> list[Watched]:
        """Those that may be asked now, the first one first: the policy's order, but a demoted one
        comes after all others."""
        now_s = self._clock_s()
        able = [one for one in self._able(capability) if one.may_be_asked(now_s)]
        return sorted(able, key=lambda one: not one.standing.promoted)

    async def _ask(
        self,
        capability: Capability,
        symbol: str,
        question: Callable[[HistoryProvider, str], Awaitable[list[T]]],
        expected: int | None,
    ) -> Told[T]:
        problems: list[str] = []
        declined = 0
        for one in (order := self.order(capability)):
            try:
                name = await asyncio.to_thread(self._name_of, one.provider.name, symbol)
                name = one.provider.usual_name(symbol) if name is None else name
                asked = partial(question, one.provider, name)
                rows = await self._attempt(one, capability, asked, expected)
            except (ProviderDeclinedError, NoNameError) as error:
                declined += 1
                problems.append(str(error))
            except FeedError as error:
                problems.append(str(error))
            else:
                if one.provider.name != self.configuration.policies[capability][0]:
                    PROVIDER_FAILOVERS.labels(capability).inc()
                return Told(one.provider.name, rows)
        # An answer of none that wasn't asked (throttled, open) may be a better one.
        everybody = len(order) == len(self._able(capability))
        raise NoProviderError(
            problems,
            declined=bool(order) and everybody and declined == len(order),
            retry_after_s=self._retry_after_s(capability),
        )

    async def _attempt(
        self,
        one: Watched,
        capability: Capability,
        question: Callable[[], Awaitable[list[T]]],
        expected: int | None,
    ) -> list[T]:
        name = one.provider.name
        began_s = self._clock_s()
        one.breaker.attempt(began_s)
        token = _waited_s.set(waited := [0.0])
        outcome, sound, share = "failed", False, None
        try:
            rows = await question()
            outcome, sound = "answered", True
            share = None if not expected else min(1.0, len(rows) / expected)
            one.breaker.succeeded()
            one.problem = None
            return rows
        except ProviderDeclinedError:
            outcome, sound = "declined", True
            one.breaker.succeeded()
            raise
        except FeedError as error:
            outcome = self._note_failure(one, error)
            raise
        finally:
            _waited_s.reset(token)
            now_s = self._clock_s()
            latency_s = max(0.0, now_s - began_s - waited[0])
            PROVIDER_REQUESTS.labels(name, capability, outcome).inc()
            PROVIDER_SECONDS.labels(name).observe(latency_s)
            one.record.note(now_s, latency_s, sound=sound, completeness=share)
            self.see(one)

    def _note_failure(self, one: Watched, error: FeedError) -> str:
        one.problem = str(error)
        if isinstance(error, FeedThrottledError):
            one.throttled_until_s = self._clock_s() + error.retry_after_s
            return "throttled"
        refused = isinstance(error, FeedRefusedError)
        one.breaker.failed(self._clock_s(), at_once=refused)
        log.warning("provider_failed", provider=one.provider.name, problem=one.problem)
        return "refused" if refused else "failed"

    def _able(self, capability: Capability) -> list[Watched]:
        policy = self.configuration.policies.get(capability, [])
        return [self.watched[name] for name in policy if name in self.watched]

    def _retry_after_s(self, capability: Capability) -> float:
        """When the first of those who were told to wait may be asked again."""
        now_s = self._clock_s()
        waits = [one.throttled_until_s - now_s for one in self._able(capability)]
        return min((wait_s for wait_s in waits if wait_s > 0), default=0.0)

    # --- how they are ----------------------------------------------------------------------------

    def see(self, one: Watched) -> Health:
        """Its health now; its standing follows."""
        now_s = self._clock_s()
        thresholds = self.configuration.health_thresholds()
        state = one.breaker.state(now_s)
        health = one.record.health(now_s, state, thresholds)
        before = one.standing.promoted
        one.standing.see(health.score, thresholds)
        name = one.provider.name
        if one.standing.promoted != before:
            word = "provider_promoted" if one.standing.promoted else "provider_demoted"
            log.warning(word, provider=name, score=health.score)
        PROVIDER_SCORE.labels(name).set(health.score)
        PROVIDER_BREAKER.labels(name).set(_BREAKER_NUMBER[state])
        PROVIDER_PROMOTED.labels(name).set(one.standing.promoted)
        return health
