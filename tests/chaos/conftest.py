"""Disturbances come from one seed: `CHAOS_SEED` brings a failed run's back, `CHAOS_ROUNDS` says
how often each disturbance comes."""

import os
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cli.embedded.servers import Postgres, Valkey
from shared.config import Settings
from tests.chaos.world import World, running_world

SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or 1)

MakeWorld = Callable[..., AbstractAsyncContextManager[World]]


def pytest_report_header() -> str:
    return f"chaos: CHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.timeout(120 + 90 * ROUNDS))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Of this test alone, so that it can be repeated without the others."""
    print(f"CHAOS_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


@pytest.fixture
def rounds() -> int:
    return ROUNDS


@pytest.fixture
def world(
    settings: Settings,
    postgres: Postgres,
    valkey: Valkey,
    chance: random.Random,
    calendar_folder: Path,
    tmp_path: Path,
) -> MakeWorld:
    """Makes a world in motion: servers, processes, a market and traders."""

    def make(
        *, settings: Settings = settings, environment: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[World]:
        """`environment` is that of the order processors."""
        return running_world(
            settings,
            postgres,
            valkey,
            chance,
            calendar_folder,
            tmp_path,
            environment=environment or {},
        )

    return make


@pytest.fixture
def faketime() -> Path:
    """A library that makes up a process' clock."""
    found = Path(".venv/faketime").glob("usr/lib/*/faketime/libfaketime.so.1")
    library = next(found, None)
    if library is None:
        pytest.skip("there is no libfaketime; tests/chaos/faketime.sh unpacks one")
    return library.resolve()
