"""The configuration in force, and how the providers are, for those who look after them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from market_data_engine.errors import Refused
from market_data_engine.metrics import CONFIGURATION_VERSION
from market_data_engine.providers import repository
from market_data_engine.providers.configuration import Configuration, Tier, Versioned, faults
from market_data_engine.providers.provider import Capability
from market_data_engine.providers.providers import Providers, Watched
from market_data_engine.providers.schemas import (
    HealthParts,
    ProviderList,
    ProviderView,
    ScoreView,
)
from shared.database import DatabaseThread
from shared.redis.keys import PROVIDERS, provider_scores
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

#: Scores that are kept of each provider, one every so often.
SCORES: Final = 60
_SCORE_PAUSE_S = 10.0
#: How soon an engine follows a configuration that another one was given.
_RELOAD_PAUSE_S = 1.0
#: Faults told of one configuration.
_FAULTS_TOLD = 20


class ProviderDesk:
    """`known`: what each provider can be asked; `unavailable`: why one can't be, by name."""

    def __init__(
        self,
        engine: Engine,
        rows: DatabaseThread,
        redis: Redis,
        providers: Providers,
        known: Mapping[str, frozenset[Capability]],
        unavailable: Mapping[str, str],
        *,
        leads: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._rows = rows
        self._redis = redis
        self._providers = providers
        self._known = known
        self._unavailable = unavailable
        self._leads = leads
        self._current = Versioned(0, providers.configuration)

    @property
    def current(self) -> Versioned:
        return self._current

    # --- the configuration -----------------------------------------------------------------------

    async def load(self) -> None:
        """Follow the newest version, whichever engine it was given to."""
        newest = await self._rows.run(self._newest)
        if newest is not None and newest.version > self._current.version:
            self._swap(newest)

    async def change(
        self, document: Mapping[str, Any], requested_by: str, based_on: int | None
    ) -> Versioned | Refused:
        """Checked whole, stored, then in force here; other engines follow within a second."""
        try:
            wanted = Configuration.model_validate(document)
        except ValidationError as error:
            return Refused("invalid_configuration", _sentences(error))
        wrong = faults(wanted, self._known)
        if wrong:
            return Refused("invalid_configuration", " ".join(wrong[:_FAULTS_TOLD]))
        added = await self._rows.run(self._add, wanted, requested_by, based_on)
        if added is None:
            return Refused(
                "configuration_changed", "Another version is in force by now: read it first."
            )
        self._swap(added)
        return added

    async def change_tiers(
        self, tiers: Mapping[Tier, Sequence[str]], requested_by: str
    ) -> Versioned | Refused:
        """The universe alone; all else stays as it is in force."""
        await self.load()
        current = self._current
        document = current.configuration.model_dump(mode="json")
        return await self.change({**document, "tiers": tiers}, requested_by, current.version)

    def _newest(self) -> Versioned | None:
        with self._engine.connect() as connection:
            return repository.newest(connection)

    def _add(
        self, wanted: Configuration, requested_by: str, based_on: int | None
    ) -> Versioned | None:
        try:
            with self._engine.begin() as connection:
                before = repository.newest(connection)
                version = 0 if before is None else before.version
                if based_on is not None and based_on != version:
                    return None
                versioned = Versioned(version + 1, wanted)
                repository.add(connection, versioned, requested_by)
                return versioned
        except IntegrityError:  # another engine was given one at the same moment
            return None

    def _swap(self, versioned: Versioned) -> None:
        if versioned.version <= self._current.version:
            return
        self._current = versioned
        self._providers.apply(versioned.configuration)
        CONFIGURATION_VERSION.set(versioned.version)
        log.info("market_data_configuration", version=versioned.version)

    # --- how they are ----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Until the block ends: follow the configuration, tell how the providers are."""
        task = asyncio.create_task(self._keep(), name="providers")
        try:
            yield
        finally:
            await end_tasks([task])

    async def _keep(self) -> None:
        due_s = 0.0
        while True:
            try:
                await self.load()
                if self._leads() and time.monotonic() >= due_s:
                    await self.tell()
                    due_s = time.monotonic() + _SCORE_PAUSE_S
            except (SQLAlchemyError, RedisError) as error:
                log.warning("providers_not_told", error=repr(error))
            except Exception as error:
                log.error("providers_fault", exc_info=error)
            await asyncio.sleep(_RELOAD_PAUSE_S)

    async def tell(self) -> None:
        """To every engine, so that each can answer for the one that asks them."""
        now = datetime.now(UTC)
        views = self._own_views()
        redis: Any = self._redis
        for view in views:
            if view.score is None:
                continue
            key = provider_scores(view.name)
            score = ScoreView(at=now, score=view.score).model_dump_json()
            async with redis.pipeline() as pipe:
                pipe.lpush(key, score)
                pipe.ltrim(key, 0, SCORES - 1)
                await pipe.execute()
        await redis.set(PROVIDERS, ProviderList(items=views, at=now).model_dump_json())

    async def view(self) -> ProviderList:
        redis: Any = self._redis
        if self._leads():
            told = ProviderList(items=self._own_views(), at=datetime.now(UTC))
        else:
            kept = await redis.get(PROVIDERS)
            if kept is None:
                told = ProviderList(items=self._own_views())
            else:
                told = ProviderList.model_validate_json(kept)
        for view in told.items:
            scores = await redis.lrange(provider_scores(view.name), 0, SCORES - 1)
            view.scores = [ScoreView.model_validate_json(score) for score in scores]
        return told

    def _own_views(self) -> list[ProviderView]:
        asked = [self._view(one) for one in self._providers.watched.values()]
        return asked + [
            ProviderView(
                name=name,
                capabilities=sorted(self._known[name]),
                available=False,
                problem=problem,
            )
            for name, problem in self._unavailable.items()
        ]

    def _view(self, one: Watched) -> ProviderView:
        health = self._providers.see(one)
        now_s = time.monotonic()
        return ProviderView(
            name=one.provider.name,
            capabilities=sorted(one.provider.capabilities),
            available=True,
            breaker=one.breaker.state(now_s),
            score=health.score,
            health=HealthParts(
                breaker=health.breaker,
                latency=health.latency,
                errors=health.errors,
                completeness=health.completeness,
            ),
            promoted=one.standing.promoted,
            throttled_for_s=round(max(0.0, one.throttled_until_s - now_s), 3),
            problem=one.problem,
        )


def _sentences(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[:_FAULTS_TOLD]
    parts = (".".join(str(part) for part in one["loc"])[:200] for one in found)
    return " ".join(f"{part}: {one['msg']}." for part, one in zip(parts, found, strict=True))
